"""What a storage can do: little enough that an object store can do it too."""

import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from folio.errors import InvalidInputError

_MAX_KEY_LENGTH = 200
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_FOLDER = re.compile(_NAME, re.ASCII)
_KEY = re.compile(rf"{_NAME}(?:/{_NAME})+", re.ASCII)


class Storage(Protocol):
    """Files under keys such as "<task id>/result.zip": a folder, and at least one more name.

    A file is there whole or not at all, also after a crash. Every method raises
    StorageUnavailableError where the storage is full or unreachable, and InvalidInputError for a
    key or folder of another shape; those that read raise StoredFileNotFoundError.
    """

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Store what the chunks hold, in place of what was there. Gives the number of bytes."""

    async def write_bytes(self, key: str, data: bytes) -> None:
        """As write(), of a small file."""

    def create(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A path to write a local file to, as ZIPs want it. Stored at the end of a block that
        raises nothing; else nothing is left."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes, in chunks. A file that is replaced or deleted meanwhile is read to its end."""

    def open_local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A local file with these bytes, for code that wants a path. Not to be written to."""

    async def size(self, key: str) -> int | None:
        """In bytes; None where there is no file under this key."""

    async def delete_folder(self, folder: str) -> None:
        """Delete every file whose key begins with this folder. No-op where there is none."""


def check_key(key: str) -> str:
    """Raises InvalidInputError for a key that could leave the storage, or that some could not
    hold."""
    if len(key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InvalidInputError(f"{key[:80]!r} is no key of a stored file.")
    return key


def check_folder(folder: str) -> str:
    """Raises InvalidInputError."""
    if len(folder) > _MAX_KEY_LENGTH or not _FOLDER.fullmatch(folder):
        raise InvalidInputError(f"{folder[:80]!r} is no folder of the storage.")
    return folder
