"""Files in a folder of the local disk, each written beside its place and then moved into it."""

import asyncio
import errno
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from folio.errors import StorageUnavailableError, StoredFileNotFoundError
from folio.storage.base import check_folder, check_key

_CHUNK_BYTES = 1024 * 1024
_SCRATCH = ".scratch"  # no key begins with a dot
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LocalStorage:
    """See Storage. Several processes may share the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        num_bytes = 0
        async with self._place(key) as path:
            async for chunk in chunks:
                with _translated(key):
                    await asyncio.to_thread(_append, path, chunk)
                num_bytes += len(chunk)
        return num_bytes

    async def write_bytes(self, key: str, data: bytes) -> None:
        target = self._root / check_key(key)
        with _translated(key):
            await asyncio.to_thread(_write_durably, self._new_scratch(), target, data)

    @asynccontextmanager
    async def create(self, key: str) -> AsyncIterator[Path]:
        async with self._place(key) as path:
            with _translated(key):
                yield path

    async def read(self, key: str) -> AsyncIterator[bytes]:
        path = self._root / check_key(key)
        with _translated(key):
            file: IO[bytes] = await asyncio.to_thread(path.open, "rb")
            with file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk

    @asynccontextmanager
    async def open_local(self, key: str) -> AsyncIterator[Path]:
        if await self.size(key) is None:
            raise StoredFileNotFoundError(_not_found(key))
        yield self._root / key

    async def size(self, key: str) -> int | None:
        path = self._root / check_key(key)
        try:
            with _translated(key):
                return (await asyncio.to_thread(path.stat)).st_size
        except StoredFileNotFoundError:
            return None

    async def delete_folder(self, folder: str) -> None:
        path = self._root / check_folder(folder)
        with suppress(StoredFileNotFoundError), _translated(folder):
            await asyncio.to_thread(shutil.rmtree, path)

    async def delete_scratch(self, *, older_than_seconds: float) -> None:
        """Delete what writers that were killed have left behind."""
        with _translated(_SCRATCH):
            await asyncio.to_thread(_delete_old, self._root / _SCRATCH, older_than_seconds)

    @asynccontextmanager
    async def _place(self, key: str) -> AsyncIterator[Path]:
        """A path beside the files; what lies there is moved to its key, or deleted on an error."""
        target = self._root / check_key(key)
        scratch = self._new_scratch()
        with _translated(key):
            await asyncio.to_thread(_make_scratch, scratch)
        try:
            yield scratch
            with _translated(key):
                await asyncio.to_thread(_move_durably, scratch, target)
        except BaseException:
            with suppress(OSError):
                await asyncio.to_thread(scratch.unlink, missing_ok=True)
            raise

    def _new_scratch(self) -> Path:
        return self._root / _SCRATCH / uuid.uuid4().hex


def _write_durably(scratch: Path, target: Path, data: bytes) -> None:
    """In one go: each change of threads takes as long as writing a picture."""
    _make_scratch(scratch)
    try:
        _append(scratch, data)
        _move_durably(scratch, target)
    except BaseException:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise


def _make_scratch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _append(path: Path, chunk: bytes) -> None:
    # Not "ab": a thread that outlives its cancelled caller must not make the file anew.
    with path.open("r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        rest = memoryview(chunk)
        while rest:
            rest = rest[file.write(rest) :]


def _move_durably(source: Path, target: Path) -> None:
    """After this, the file outlives a loss of power."""
    _sync(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete_old(folder: Path, older_than_seconds: float) -> None:
    if not folder.is_dir():
        return
    now = time.time()
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime > older_than_seconds:
                path.unlink()


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Ours from the system's errors."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoredFileNotFoundError(_not_found(key)) from error
    except OSError as error:
        raise StorageUnavailableError(_explain(error)) from error


def _not_found(key: str) -> str:
    return f"There is no file {key}. It was deleted, or its time to be kept is over."


def _explain(error: OSError) -> str:
    if error.errno in _FULL:
        return "The disk is full. Free some space in DATA_DIR and try again."
    return f"DATA_DIR cannot be used ({error.strerror}). Check the disk and the permissions."
