import asyncio
import errno
import os
import resource
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from folio.errors import InvalidInputError, StorageUnavailableError, StoredFileNotFoundError
from folio.storage import LocalStorage, Storage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "data")


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read_all(storage: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """The kernel refuses to let a file grow beyond this, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_what_was_written_is_read(storage: LocalStorage) -> None:
    assert await storage.write("task/upload.pdf", chunks_of(b"one ", b"two")) == 7

    assert await read_all(storage, "task/upload.pdf") == b"one two"
    assert await storage.size("task/upload.pdf") == 7


async def test_a_large_file_comes_in_chunks(storage: LocalStorage) -> None:
    data = os.urandom(3_000_000)
    await storage.write("task/a", chunks_of(data))

    sizes = [len(chunk) async for chunk in storage.read("task/a")]

    assert sum(sizes) == len(data)
    assert len(sizes) > 1


async def test_a_second_write_takes_the_place_of_the_first(storage: LocalStorage) -> None:
    await storage.write("task/a", chunks_of(b"a long first version"))
    await storage.write("task/a", chunks_of(b"second"))

    assert await read_all(storage, "task/a") == b"second"


async def test_an_upload_that_breaks_off_leaves_what_was_there(
    storage: LocalStorage, tmp_path: Path
) -> None:
    async def breaking_off() -> AsyncIterator[bytes]:
        yield b"new"
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    await storage.write("task/a", chunks_of(b"old"))
    with pytest.raises(ConnectionResetError):
        await storage.write("task/a", breaking_off())

    assert await read_all(storage, "task/a") == b"old"
    assert len(files_in(tmp_path)) == 1


async def test_a_reader_sees_one_version_while_another_is_written(storage: LocalStorage) -> None:
    old, new = b"o" * 5_000_000, b"n" * 5_000_000
    await storage.write("task/a", chunks_of(old))
    reader = storage.read("task/a")
    first = await anext(reader)

    await asyncio.gather(*(storage.write("task/a", chunks_of(new)) for _ in range(4)))

    assert first + b"".join([chunk async for chunk in reader]) == old
    assert await read_all(storage, "task/a") == new


async def test_a_zip_is_built_in_place(storage: LocalStorage) -> None:
    async with storage.create("task/result.zip") as path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("document.md", "# Title")

    async with storage.open_local("task/result.zip") as path:
        assert zipfile.ZipFile(path).namelist() == ["document.md"]


async def test_a_file_that_was_not_finished_is_not_there(
    storage: LocalStorage, tmp_path: Path
) -> None:
    async def build_half() -> None:
        async with storage.create("task/result.zip") as path:
            path.write_bytes(b"half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await build_half()

    assert await storage.size("task/result.zip") is None
    assert files_in(tmp_path) == []


async def test_a_full_disk_is_said_and_leaves_nothing(
    storage: LocalStorage, tmp_path: Path
) -> None:
    with largest_file(100_000), pytest.raises(StorageUnavailableError, match="disk is full"):
        await storage.write("task/a", chunks_of(b"x" * 90_000, b"x" * 90_000))

    assert files_in(tmp_path) == []
    await storage.write("task/a", chunks_of(b"x" * 180_000))


async def test_a_small_file_is_written_in_one_go(storage: LocalStorage, tmp_path: Path) -> None:
    await storage.write_bytes("task/pages/1.jpg", b"first")
    await storage.write_bytes("task/pages/1.jpg", b"second")

    assert await read_all(storage, "task/pages/1.jpg") == b"second"
    assert [path.name for path in files_in(tmp_path)] == ["1.jpg"]


async def test_a_small_file_that_finds_no_room_leaves_nothing(
    storage: LocalStorage, tmp_path: Path
) -> None:
    with largest_file(50_000), pytest.raises(StorageUnavailableError, match="disk is full"):
        await storage.write_bytes("task/a", b"x" * 90_000)

    assert files_in(tmp_path) == []


async def test_a_root_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageUnavailableError, match="DATA_DIR"):
        await LocalStorage(tmp_path / "file").write("task/a", chunks_of(b"x"))


async def test_a_missing_file_is_said(storage: LocalStorage) -> None:
    with pytest.raises(StoredFileNotFoundError, match="task/none"):
        await read_all(storage, "task/none")
    with pytest.raises(StoredFileNotFoundError):
        async with storage.open_local("task/none"):
            pass


async def test_a_folder_is_deleted_and_its_neighbours_stay(storage: LocalStorage) -> None:
    await storage.write("one/pages/1.png", chunks_of(b"x"))
    await storage.write("two/a", chunks_of(b"y"))

    await storage.delete_folder("one")
    await storage.delete_folder("one")

    assert await storage.size("one/pages/1.png") is None
    assert await storage.size("two/a") == 1


async def test_old_scratch_files_are_deleted(storage: LocalStorage, tmp_path: Path) -> None:
    await storage.delete_scratch(older_than_seconds=60)
    scratch = tmp_path / "data" / ".scratch"
    scratch.mkdir(parents=True)
    for name, age_seconds in (("old", 100), ("new", 0)):
        (scratch / name).touch()
        stamp = (scratch / name).stat().st_mtime - age_seconds
        os.utime(scratch / name, (stamp, stamp))

    await storage.delete_scratch(older_than_seconds=60)

    assert [path.name for path in scratch.iterdir()] == ["new"]


HARMFUL_KEYS = ("a", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a/.b", ".scratch/a", "a\\b/c")


@pytest.mark.parametrize(
    "key", [*HARMFUL_KEYS, "", "a/b\n", "a/b\0", "a/b c", "ä/b", "a/" + "b" * 300]
)
async def test_keys_that_could_do_harm_are_refused(storage: LocalStorage, key: str) -> None:
    with pytest.raises(InvalidInputError):
        await storage.write(key, chunks_of(b"x"))


@pytest.mark.parametrize("folder", ["", ".", "..", "a/b", "/", ".scratch"])
async def test_folders_that_could_do_harm_are_refused(storage: LocalStorage, folder: str) -> None:
    with pytest.raises(InvalidInputError):
        await storage.delete_folder(folder)
