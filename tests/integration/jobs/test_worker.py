"""One worker, on the test's own event loop: what the processes of the other tests cannot show."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pymupdf
import pytest
from sqlalchemy import update

from folio.config import JobSettings, Settings
from folio.db import (
    Database,
    NewTask,
    PageRepository,
    PageRow,
    TaskKind,
    TaskRepository,
    TaskStatus,
)
from folio.documents.channel import Channel
from folio.engine.base import GenerationOutput, GenerationRequest
from folio.engine.fake import FakeEngine
from folio.jobs.clock import now
from folio.jobs.keys import upload_key
from folio.jobs.renderers import Renderers
from folio.jobs.worker import Worker
from folio.storage import LocalStorage
from tests.integration.db.rows import get_task
from tests.unit.jobs.conftest import RememberingQueue

US, OTHERS = "us", "others"
PAGES_PER_RANGE = 8


class GatedEngine(FakeEngine):
    """Answers once the gate is open."""

    def __init__(self) -> None:
        super().__init__(answer="read")
        self.gate = asyncio.Event()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        self.was_asked.set()
        await self.gate.wait()
        async for output in super().generate(request):
            yield output


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "tasks")


@pytest.fixture
async def engine() -> GatedEngine:
    engine = GatedEngine()
    await engine.start()
    return engine


@pytest.fixture
def queue() -> RememberingQueue:
    return RememberingQueue()


@pytest.fixture
async def worker(
    database: Database, storage: LocalStorage, engine: GatedEngine, queue: RememberingQueue
) -> AsyncIterator[Worker]:
    """One page at a time is in flight."""
    async with running_worker(database, storage, engine, queue, max_pages_in_flight=1) as worker:
        yield worker


@asynccontextmanager
async def running_worker(
    database: Database,
    storage: LocalStorage,
    engine: FakeEngine,
    queue: RememberingQueue,
    **settings: object,
) -> AsyncIterator[Worker]:
    quick = {"render_processes": 1, "pages_per_range": PAGES_PER_RANGE, "lease_seconds": 2}
    jobs = JobSettings.model_validate(quick | settings)
    worker = Worker(
        Settings(jobs=jobs),
        owner=US,
        database=database,
        storage=storage,
        engine=engine,
        queue=queue,
    )
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def submit(database: Database, storage: LocalStorage, pdf: Path) -> UUID:
    task_id = uuid4()

    async def chunks() -> AsyncIterator[bytes]:
        yield await asyncio.to_thread(pdf.read_bytes)

    await storage.write(upload_key(task_id), chunks())
    async with database.transaction() as session:
        TaskRepository(session).add(NewTask(task_id, TaskKind.PDF, "a.pdf", {}, now()))
    return task_id


async def list_pages(database: Database, task_id: UUID) -> list[PageRow]:
    async with database.reading() as session:
        return await PageRepository(session).list_range(task_id)


async def give_to_others(
    database: Database, task_id: UUID, page_number: int, *, expires_at: datetime | None = None
) -> None:
    """As another worker does that finds a lease expired."""
    page = (PageRow.task_id == task_id) & (PageRow.page_number == page_number)
    lease = {"lease_owner": OTHERS, "lease_expires_at": expires_at or now() + timedelta(hours=1)}
    async with database.transaction() as session:
        await session.execute(update(PageRow).where(page).values(num_claims=2, **lease))


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        await asyncio.sleep(0.02)


def write_uneven_pdf(path: Path, num_pages: int) -> Path:
    """Every third page takes ten times as long to draw as the others."""
    with pymupdf.open() as document:
        for number in range(num_pages):
            side = 900 if number % 3 == 2 else 200
            document.new_page(width=side, height=side).insert_text((20, 40), f"page {number}")
        document.save(path)
    return path


async def test_pages_behind_one_that_was_lost_are_given_back(
    worker: Worker,
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    pdf_of_30: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task_id = await submit(database, storage, pdf_of_30)
    advancing = asyncio.create_task(worker.advance(task_id))
    await engine.was_asked.wait()

    await give_to_others(database, task_id, 3)  # page 2 already waits for its place

    async def is_noticed() -> bool:
        return "is another's now" in caplog.text

    await until(is_noticed)
    engine.gate.set()
    await advancing

    async def are_free() -> bool:
        _, _, lost, *behind = await list_pages(database, task_id)
        claims = {(page.lease_owner, page.num_claims) for page in behind}
        return lost.lease_owner == OTHERS and claims == {(None, 0)}

    await until(are_free)


async def test_a_document_is_opened_while_the_pages_of_another_wait(
    worker: Worker,
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    pdf_of_30: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4\njunk")
    slow, broken = [
        await submit(database, storage, pdf) for pdf in (pdf_of_30, tmp_path / "broken.pdf")
    ]
    advancing = asyncio.create_task(worker.advance(slow))
    await engine.was_asked.wait()

    await worker.advance(broken)

    assert (await get_task(database, broken)).error_code == "corrupt_document"
    assert not advancing.done()
    engine.gate.set()
    await advancing


async def test_each_page_is_drawn_once_though_ranges_and_renderers_overlap(
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    queue: RememberingQueue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pdf = write_uneven_pdf(tmp_path / "uneven.pdf", 60)
    drawn: list[int] = []

    class ListeningChannel(Channel):
        def send(self, message: dict[str, Any]) -> None:
            drawn.extend([message["page_number"]] if "page_number" in message else [])
            super().send(message)

    monkeypatch.setattr("folio.documents.render_process.Channel", ListeningChannel)
    engine.gate.set()
    task_id = await submit(database, storage, pdf)
    async with running_worker(
        database, storage, engine, queue, render_processes=2, max_pages_in_flight=8
    ) as worker:
        while (await get_task(database, task_id)).status is not TaskStatus.SUCCEEDED:
            await worker.advance(task_id)

    assert sorted(drawn) == list(range(1, 61))


async def test_a_page_that_cannot_be_stored_for_a_reason_of_ours_counts_as_a_try(
    worker: Worker,
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    pdf_of_1: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(PageRepository, "finish", fail)
    task_id = await submit(database, storage, pdf_of_1)
    engine.gate.set()

    await worker.advance(task_id)

    async def is_free() -> bool:
        (page,) = await list_pages(database, task_id)
        return (page.lease_owner, page.num_claims) == (None, 1)

    await until(is_free)


async def test_a_bug_in_opening_fails_the_task(
    worker: Worker,
    database: Database,
    storage: LocalStorage,
    pdf_of_1: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Renderers, "count_pages", fail)
    task_id = await submit(database, storage, pdf_of_1)

    await worker.advance(task_id)

    task = await get_task(database, task_id)
    assert (task.status, task.error_code) == (TaskStatus.FAILED, "internal_error")


async def test_a_bug_in_writing_results_fails_the_task_when_its_time_is_over(
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    queue: RememberingQueue,
    pdf_of_1: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("folio.jobs.finishing.write_results", fail)
    engine.gate.set()
    async with running_worker(database, storage, engine, queue, results_retry_seconds=1) as worker:
        task_id = await submit(database, storage, pdf_of_1)
        await worker.advance(task_id)

        async def has_ended() -> bool:
            await worker.advance(task_id)  # as the reaper does
            return (await get_task(database, task_id)).status is TaskStatus.FAILED

        await until(has_ended)

    assert (await get_task(database, task_id)).error_code == "internal_error"


async def test_pages_of_a_dead_worker_are_asked_for_though_the_queue_is_too_long_for_the_reaper(
    worker: Worker,
    database: Database,
    storage: LocalStorage,
    engine: GatedEngine,
    queue: RememberingQueue,
    pdf_of_1: Path,
) -> None:
    task_id = await submit(database, storage, pdf_of_1)
    async with database.transaction() as session:
        await PageRepository(session).add(task_id, [1])
    await give_to_others(database, task_id, 1, expires_at=now() + timedelta(seconds=1))
    engine.gate.set()

    await worker.advance(task_id)

    assert queue.enqueued == []

    async def is_asked_for() -> bool:
        return queue.enqueued == [task_id]

    await until(is_asked_for)
    await worker.advance(task_id)
    (page,) = await list_pages(database, task_id)
    assert page.status == "ok"
