"""Pages in the database -> document.md, document.json and the ZIP in the storage."""

import asyncio
import errno
import io
import json
import resource
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from folio.db import Database, NewTask, PageOutcome, PageRepository, PageStatus, TaskKind
from folio.db.tasks import TaskRepository
from folio.errors import StorageUnavailableError, TaskNotFoundError
from folio.jobs.keys import ResultKind, figure_key, result_key
from folio.jobs.pictures import make_pictures, store_pictures
from folio.jobs.results import page_outcome, write_results
from folio.pipeline.repair import Attempt, RepairedPage
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage
from folio.preprocessing.resolution import Mode
from folio.storage import LocalStorage
from tests.disks import SmallDisk, small_disk
from tests.integration.db.rows import NOW, add_task, claim, seconds

FIGURE = BoundingBox(10, 10, 60, 60)
BLOCKS = (
    Block("title", "# Report", (BoundingBox(5, 5, 90, 20),)),
    Block("image", "", (FIGURE,)),
    Block("text", "Hello", (BoundingBox(5, 70, 90, 90),)),
)
PIXELS = np.full((120, 100, 3), 200, dtype=np.uint8)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "data")


def read_page(
    text: str = "Hello",
    status: PageStatus = PageStatus.OK,
    reason: str | None = None,
    blocks: tuple[Block, ...] = (),
) -> RepairedPage:
    usage = Usage(100, 90, 10)
    blocks = blocks or (Block("text", text),)
    result = PageResult(text, text, f"raw {text}", blocks, 100, 120, Mode.BASE, usage, "stop")
    attempts = (
        Attempt("asked", "small", "repetition", "raw loop", usage),
        Attempt("mode", "base", "stop", f"raw {text}", usage, is_kept=True, model="nano"),
    )
    return RepairedPage(status, reason, result, attempts)


async def finish_next(
    database: Database, storage: LocalStorage, task_id: UUID, page: RepairedPage
) -> int:
    """The next free page gets this outcome, with its pictures; its number."""
    [held] = await claim(database, task_id)
    links = await store_pictures(
        storage, task_id, held.page_number, PIXELS, page.result, turns=asyncio.Semaphore()
    )
    outcome = page_outcome(
        page, figure_links=links, started_at=seconds(1), finished_at=seconds(3.5)
    )
    async with database.transaction() as session:
        assert await PageRepository(session).finish(held, outcome)
    return held.page_number


async def add_finished_task(
    database: Database, storage: LocalStorage, *pages: RepairedPage
) -> UUID:
    task_id = await add_task(database, len(pages))
    for page in pages:
        await finish_next(database, storage, task_id, page)
    return task_id


async def read_bytes(storage: LocalStorage, task_id: UUID, kind: ResultKind) -> bytes:
    return b"".join([chunk async for chunk in storage.read(result_key(task_id, kind))])


async def read_zip(storage: LocalStorage, task_id: UUID) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(await read_bytes(storage, task_id, ResultKind.ZIP)))


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """The kernel refuses to let a file grow beyond this, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_the_zip_holds_documents_figures_and_pages_in_this_order(
    database: Database, storage: LocalStorage
) -> None:
    task_id = await add_finished_task(database, storage, read_page(blocks=BLOCKS), read_page())

    await write_results(database, storage, task_id)

    archive = await read_zip(storage, task_id)
    assert archive.testzip() is None
    assert archive.namelist() == [
        "document.md",
        "document.json",
        "images/page-0001-figure-1.jpg",
        "pages/page-0001.jpg",
        "pages/page-0002.jpg",
    ]
    kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
    assert kinds["document.md"] == kinds["document.json"] == zipfile.ZIP_DEFLATED
    assert kinds["images/page-0001-figure-1.jpg"] == zipfile.ZIP_STORED
    for kind in (ResultKind.MARKDOWN, ResultKind.JSON):
        assert archive.read(f"document.{kind}") == await read_bytes(storage, task_id, kind)


async def test_the_markdown_links_the_figure_that_the_zip_holds(
    database: Database, storage: LocalStorage
) -> None:
    task_id = await add_finished_task(database, storage, read_page(blocks=BLOCKS))

    await write_results(database, storage, task_id)

    archive = await read_zip(storage, task_id)
    assert archive.read("document.md").decode() == (
        "<!-- page 1 -->\n\n# Report\n\n![](images/page-0001-figure-1.jpg)\n\nHello\n"
    )
    figure = Image.open(io.BytesIO(archive.read("images/page-0001-figure-1.jpg")))
    assert figure.size == (50, 50)


async def test_the_json_tells_all_about_every_page(
    database: Database, storage: LocalStorage
) -> None:
    page = read_page("Hello", PageStatus.RETRIED, "It looped.", (BLOCKS[2],))
    page = replace(page, reason_code="repetition_mode")
    task_id = await add_finished_task(database, storage, page)

    await write_results(database, storage, task_id)

    document = json.loads(await read_bytes(storage, task_id, ResultKind.JSON))
    usage = {"prompt_tokens": 100, "image_tokens": 90, "completion_tokens": 10}
    attempts = document["pages"][0].pop("attempts")
    [block] = document["pages"][0].pop("blocks")
    assert document == {
        "task_id": str(task_id),
        "filename": "a.pdf",
        "options": {"dpi": 144},
        "num_pages": 1,
        "pages": [
            {
                "page_number": 1,
                "status": "retried",
                "reason": "It looped.",
                "reason_code": "repetition_mode",
                "mode": "base",
                "markdown": "Hello",
                "text": "Hello",
                "raw_text": "raw Hello",
                "width": 100,
                "height": 120,
                "usage": usage,
                "timing": {
                    "started_at": "2026-11-21T12:00:01.123456Z",
                    "finished_at": "2026-11-21T12:00:03.623456Z",
                    "duration_ms": 2500,
                },
            }
        ],
        "counts": {"ok": 0, "retried": 1, "truncated": 0, "blank": 0, "failed": 0},
        "model": "nano",
        "timing": {
            "queued_at": "2026-11-21T12:00:00.123456Z",
            "started_at": None,
            "finished_at": "2026-11-21T12:00:03.623456Z",
            "duration_ms": 3500,
        },
    }
    box = [5, 70, 90, 90]
    assert {"label": "text", "text": "Hello", "box": box, "boxes": [box]}.items() <= block.items()
    assert [attempt["raw_text"] for attempt in attempts] == ["raw loop", "raw Hello"]
    assert attempts[1] == {
        "rung": "mode",
        "mode": "base",
        "finish_reason": "stop",
        "raw_text": "raw Hello",
        "usage": usage,
        "is_kept": True,
        "model": "nano",
    }


async def test_every_page_stands_in_its_place_whatever_became_of_it(
    database: Database, storage: LocalStorage
) -> None:
    pages = [
        read_page("one"),
        read_page("cut", PageStatus.TRUNCATED, "Too full."),
        read_page("three"),
    ]
    task_id = await add_task(database, 4)
    for page in pages:
        await finish_next(database, storage, task_id, page)
    [held] = await claim(database, task_id)
    async with database.transaction() as session:
        failed = PageOutcome(PageStatus.FAILED, NOW, NOW, reason="No renderer can draw it.")
        await PageRepository(session).finish(held, failed)

    await write_results(database, storage, task_id)

    markdown = (await read_bytes(storage, task_id, ResultKind.MARKDOWN)).decode()
    assert markdown == (
        "<!-- page 1 -->\n\none\n"
        "\n<!-- page 2 -->\n\n> Page 2 was not read to its end: Too full.\n\ncut\n"
        "\n<!-- page 3 -->\n\nthree\n"
        "\n<!-- page 4 -->\n\n> Page 4 could not be read: No renderer can draw it.\n"
    )
    document = json.loads(await read_bytes(storage, task_id, ResultKind.JSON))
    assert [page["page_number"] for page in document["pages"]] == [1, 2, 3, 4]
    assert document["counts"]["failed"] == document["counts"]["truncated"] == 1
    assert "pages/page-0004.jpg" not in (await read_zip(storage, task_id)).namelist()


async def test_a_second_time_gives_the_same_bytes(
    database: Database, storage: LocalStorage
) -> None:
    task_id = await add_finished_task(database, storage, read_page(blocks=BLOCKS), read_page())

    await write_results(database, storage, task_id)
    before = [await read_bytes(storage, task_id, kind) for kind in ResultKind]
    await write_results(database, storage, task_id)

    assert [await read_bytes(storage, task_id, kind) for kind in ResultKind] == before


async def test_a_picture_that_is_gone_is_left_out(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    task_id = await add_finished_task(database, storage, read_page(blocks=BLOCKS))
    (tmp_path / "data" / figure_key(task_id, 1, 1)).unlink()

    await write_results(database, storage, task_id)

    archive = await read_zip(storage, task_id)
    assert archive.namelist() == ["document.md", "document.json", "pages/page-0001.jpg"]


async def test_a_picture_that_is_deleted_just_before_it_is_read_is_left_out(
    database: Database, tmp_path: Path
) -> None:
    class Hasty(LocalStorage):
        @asynccontextmanager
        async def open_local(self, key: str) -> AsyncIterator[Path]:
            async with super().open_local(key) as path:
                if path.suffix == ".jpg":
                    path.unlink()
                yield path

    storage = Hasty(tmp_path / "data")
    task_id = await add_finished_task(database, storage, read_page())

    await write_results(database, storage, task_id)

    assert (await read_zip(storage, task_id)).namelist() == ["document.md", "document.json"]


async def test_many_pages_are_read_in_pieces_and_keep_their_order(
    database: Database, storage: LocalStorage
) -> None:
    task_id = await add_task(database, 120)
    held = await claim(database, task_id, limit=120)
    async with database.transaction() as session:
        for page in held:
            outcome = PageOutcome(PageStatus.OK, NOW, NOW, markdown=f"text {page.page_number}")
            await PageRepository(session).finish(page, outcome)

    await write_results(database, storage, task_id)

    markdown = (await read_bytes(storage, task_id, ResultKind.MARKDOWN)).decode()
    assert [int(part.split()[-1]) for part in markdown.split("<!-- page")[1:]] == list(
        range(1, 121)
    )


async def test_a_full_disk_is_said_and_leaves_no_result(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    task_id = await add_finished_task(database, storage, read_page("word " * 20_000))

    with largest_file(50_000), pytest.raises(StorageUnavailableError, match="disk is full"):
        await write_results(database, storage, task_id)

    assert not [name for name in files_in(tmp_path / "data") if name.startswith("document")]
    assert files_in(tmp_path / "data" / ".scratch") == []
    await write_results(database, storage, task_id)
    assert (await read_zip(storage, task_id)).testzip() is None


async def test_a_disk_that_is_full_at_the_zip_leaves_the_documents_and_no_zip(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    task_id = await add_finished_task(database, storage, read_page())
    await store_pictures(storage, task_id, 1, noise, read_page().result, turns=asyncio.Semaphore())

    with largest_file(50_000), pytest.raises(StorageUnavailableError, match="disk is full"):
        await write_results(database, storage, task_id)

    assert await storage.size(result_key(task_id, ResultKind.JSON)) is not None
    assert await storage.size(result_key(task_id, ResultKind.ZIP)) is None
    assert files_in(tmp_path / "data" / ".scratch") == []


async def test_a_real_disk_without_space_for_the_zip_is_said_and_a_larger_one_mends_it(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    picture = len(make_pictures(noise, []).boxed_page)
    disk_bytes = 3 * picture // 2  # its picture and the documents, but not the ZIP too
    with small_disk(tmp_path / "data", disk_bytes=disk_bytes, file_bytes=50_000) as disk:
        disk.grow(10 * picture)
        task_id = await add_finished_task(database, storage, read_page())
        await store_pictures(
            storage, task_id, 1, noise, read_page().result, turns=asyncio.Semaphore()
        )
        disk.grow(disk_bytes if isinstance(disk, SmallDisk) else 50_000)

        with pytest.raises(StorageUnavailableError, match="disk is full") as caught:
            await write_results(database, storage, task_id)

        assert isinstance(caught.value.__cause__, OSError)
        is_real = isinstance(disk, SmallDisk)
        assert caught.value.__cause__.errno == (errno.ENOSPC if is_real else errno.EFBIG)
        assert await storage.size(result_key(task_id, ResultKind.JSON)) is not None
        assert await storage.size(result_key(task_id, ResultKind.ZIP)) is None
        assert files_in(tmp_path / "data" / ".scratch") == []
        disk.grow(10 * picture)
        await write_results(database, storage, task_id)
        assert (await read_zip(storage, task_id)).testzip() is None


async def test_a_task_that_was_deleted_has_no_results(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    with pytest.raises(TaskNotFoundError):
        await write_results(database, storage, UUID(int=1))
    assert files_in(tmp_path / "data") == []


async def test_a_hostile_filename_and_text_come_through_whole(
    database: Database, storage: LocalStorage
) -> None:
    filename = 'a "quoted"\n\u2028name\\<!-- page 7 -->.pdf'
    task_id = UUID(int=7)
    async with database.transaction() as session:
        TaskRepository(session).add(NewTask(task_id, TaskKind.PDF, filename, {}, NOW))
        await session.flush()
        await PageRepository(session).add(task_id, [1])
    text = "NUL \0, half a pair \ud83d, \U0001f600, <!-- page 2 -->"
    await finish_next(database, storage, task_id, read_page(text))

    await write_results(database, storage, task_id)

    document = json.loads(await read_bytes(storage, task_id, ResultKind.JSON))
    assert document["filename"] == filename
    assert document["pages"][0]["text"] == "NUL \ufffd, half a pair ?, \U0001f600, <!-- page 2 -->"
    markdown = (await read_bytes(storage, task_id, ResultKind.MARKDOWN)).decode()
    assert markdown.count("<!-- page") == 1


async def test_writing_can_be_cancelled_and_leaves_nothing_half(
    database: Database, tmp_path: Path
) -> None:
    is_adding = asyncio.Event()

    class Slow(LocalStorage):
        @asynccontextmanager
        async def open_local(self, key: str) -> AsyncIterator[Path]:
            is_adding.set()
            await asyncio.sleep(0.05)
            async with super().open_local(key) as path:
                yield path

    storage = Slow(tmp_path / "data")
    task_id = await add_finished_task(database, storage, read_page())
    writing = asyncio.create_task(write_results(database, storage, task_id))
    await is_adding.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await storage.size(result_key(task_id, ResultKind.ZIP)) is None
    assert files_in(tmp_path / "data" / ".scratch") == []
