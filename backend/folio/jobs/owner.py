"""Who holds a lease: a worker process, by a name that no other one has or ever had.

The worker inside the service is started again after a crash, and must not wait until the leases
of the dead one expire. A lock on a file of the data folder tells: who gets it is the only service
on this folder, so what an earlier one of the same folder holds is held by the dead. The kernel
frees the lock at any death of the process, in a container too.
"""

import fcntl
import os
import socket
import uuid
from pathlib import Path
from typing import Self

_LOCK_NAME = ".embedded-worker"


def make_owner() -> str:
    """A worker process of its own: its leases expire when it is dead."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid.uuid4().hex}"


class FolderLock:
    """The lock, and the name of the folder that it is on. Blocks for a moment: it is I/O."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / _LOCK_NAME).open("a+")
        try:
            # Not flock(): a child that was forked would hold it beyond our death.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.is_ours = True
        except OSError:
            self.is_ours = False
        self.folder_name = self._read_name()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def make_owner(self) -> str:
        """The name of a worker that lives on this folder."""
        return f"{self.folder_name}:{uuid.uuid4().hex}"

    def close(self) -> None:
        self._file.close()

    def _read_name(self) -> str:
        self._file.seek(0)
        name = self._file.read().strip()
        if name or not self.is_ours:
            return name or uuid.uuid4().hex
        name = uuid.uuid4().hex
        self._file.write(name)
        self._file.flush()
        return name
