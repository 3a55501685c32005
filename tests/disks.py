"""A disk that is full: a real one, of a few kilobytes, where this user may mount it."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallDisk:
    """A tmpfs on a folder. The kernel says ENOSPC there."""

    def __init__(self, folder: Path, num_bytes: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", folder)

    def grow(self, num_bytes: int) -> None:
        self._mount("-o", f"remount,size={num_bytes}", self._folder)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self._folder], check=True)

    def _mount(self, *arguments: str | Path) -> None:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)


class SmallFiles:
    """Where no disk may be mounted: no file may grow beyond this. The kernel says EFBIG."""

    def __init__(self, num_bytes: int) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.grow(num_bytes)

    def grow(self, num_bytes: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, self._before[1]))

    def close(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@contextmanager
def small_disk(
    folder: Path, *, disk_bytes: int, file_bytes: int
) -> Iterator[SmallDisk | SmallFiles]:
    """A disk of `disk_bytes` on the folder; else files of at most `file_bytes` anywhere."""
    disk: SmallDisk | SmallFiles
    try:
        disk = SmallDisk(folder, disk_bytes)
    except (OSError, subprocess.CalledProcessError):
        disk = SmallFiles(file_bytes)
    try:
        yield disk
    finally:
        disk.close()
