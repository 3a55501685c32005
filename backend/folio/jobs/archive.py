"""The ZIP of a task's results, put together from what the storage holds.

The same files give the same bytes: a fixed order, a fixed date. JPEGs are stored as they are,
text is compressed.
"""

import asyncio
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO
from uuid import UUID

from folio.errors import StoredFileNotFoundError
from folio.jobs.keys import ResultKind, boxed_page_key, figure_key, result_key, task_folder
from folio.storage import Storage

_FILES_AT_ONCE = 64  # an object store brings each of them here first
_CHUNK_BYTES = 1024 * 1024
_DATE = (1980, 1, 1, 0, 0, 0)  # the first one that a ZIP knows
_READABLE = stat.S_IFREG | 0o644
_UNIX = 3


@dataclass(frozen=True)
class PagePictures:
    """Which pictures a page may have: figures numbered from 1 to num_figures, and itself."""

    page_number: int
    num_figures: int


async def write_archive(storage: Storage, task_id: UUID, pages: Sequence[PagePictures]) -> None:
    """Put the documents and the pages' pictures in a ZIP, and store it under the task's key.

    A picture that is not there, deleted or never made, is left out. Raises
    StoredFileNotFoundError where a document is missing, and StorageUnavailableError.
    """
    documents = [result_key(task_id, kind) for kind in (ResultKind.MARKDOWN, ResultKind.JSON)]
    pictures = list(_picture_keys(task_id, pages))
    async with storage.create(result_key(task_id, ResultKind.ZIP)) as path:
        archive = await asyncio.to_thread(_Archive, path, task_folder(task_id))
        try:
            await _add_files(archive, storage, documents)
            for start in range(0, len(pictures), _FILES_AT_ONCE):
                piece = pictures[start : start + _FILES_AT_ONCE]
                await _add_files(archive, storage, piece, may_be_missing=True)
            await asyncio.to_thread(archive.finish)
        except BaseException:
            await asyncio.to_thread(archive.abandon)
            raise


async def _add_files(
    archive: "_Archive", storage: Storage, keys: Sequence[str], *, may_be_missing: bool = False
) -> None:
    async with AsyncExitStack() as places:
        files: list[tuple[str, Path]] = []
        for key in keys:
            try:
                files.append((key, await places.enter_async_context(storage.open_local(key))))
            except StoredFileNotFoundError:
                if not may_be_missing:
                    raise
        await asyncio.to_thread(archive.add, files)


def _picture_keys(task_id: UUID, pages: Sequence[PagePictures]) -> Iterator[str]:
    for page in pages:
        for number in range(1, page.num_figures + 1):
            yield figure_key(task_id, page.page_number, number)
    for page in pages:
        yield boxed_page_key(task_id, page.page_number)


class _Archive:
    """A ZIP that is being written. Blocks: call it in a thread."""

    def __init__(self, path: Path, folder: str) -> None:
        self._folder = folder
        self._file: IO[bytes] = path.open("wb")
        self._zip = zipfile.ZipFile(self._file, "w")
        self._lock = Lock()  # a caller that is cancelled leaves its thread adding

    def add(self, files: Sequence[tuple[str, Path]]) -> None:
        """Keys and where their files lie here. One that was deleted just now is left out."""
        for key, path in files:
            with self._lock, suppress(FileNotFoundError), path.open("rb") as source:
                self._add(key.removeprefix(f"{self._folder}/"), source, path.stat().st_size)

    def finish(self) -> None:
        self._zip.close()
        self._file.close()

    def abandon(self) -> None:
        """Close what is open. On a full disk the ZIP's own end cannot be written: no matter."""
        with self._lock:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError, ValueError):  # ValueError: its file is closed
                self._zip.close()

    def _add(self, name: str, source: IO[bytes], num_bytes: int) -> None:
        entry = zipfile.ZipInfo(name, _DATE)
        entry.create_system, entry.external_attr = _UNIX, _READABLE << 16
        is_picture = name.endswith(".jpg")
        entry.compress_type = zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED
        entry.file_size = num_bytes  # beyond 2 GiB it takes the format's 64-bit form
        with self._zip.open(entry, "w") as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
