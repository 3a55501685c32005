"""Tasks as users see them, on a real SQLite and a real disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db import Database, PageRepository, TaskError, TaskRepository, TaskStatus
from folio.engine.running import RunningRequests
from folio.errors import (
    InvalidInputError,
    RequestCanceledError,
    StorageUnavailableError,
    StoredFileNotFoundError,
    TaskAlreadyFinishedError,
    TaskNotFinishedError,
    TaskNotFoundError,
    UnsupportedMediaTypeError,
)
from folio.jobs.keys import ResultKind, result_key, upload_key
from folio.jobs.options import DocumentOptions
from folio.jobs.service import JobService
from folio.storage import LocalStorage
from tests.unit.jobs.conftest import RememberingQueue

PDF = b"%PDF-1.7\n" + bytes(5000)
NOW = datetime.now(UTC)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def submit(jobs: JobService) -> UUID:
    return await jobs.submit_document("a.pdf", chunks(PDF), DocumentOptions(pages="2"))


async def end(database: Database, task_id: UUID, status: TaskStatus) -> None:
    async with database.transaction() as session:
        tasks = TaskRepository(session)
        await tasks.start(task_id, now=NOW)
        await PageRepository(session).add(task_id, [2])
        error = TaskError("corrupt_document", "Broken.") if status is TaskStatus.FAILED else None
        await tasks.finish(task_id, status, now=NOW, error=error)


async def test_a_document_is_stored_then_kept_then_queued(
    jobs: JobService, storage: LocalStorage, queue: RememberingQueue
) -> None:
    task_id = await jobs.submit_document(
        "folder/a.pdf", chunks(PDF[:3], PDF[3:2000], PDF[2000:]), DocumentOptions(pages="2")
    )
    task = await jobs.get(task_id)
    assert (task.filename, task.status, task.options["pages"]) == ("a.pdf", "queued", "2")
    assert b"".join([chunk async for chunk in storage.read(upload_key(task_id))]) == PDF
    assert queue.enqueued == [task_id]


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((), InvalidInputError),
        ((b"",), InvalidInputError),
        ((b"Dear Sir or Madam, " * 100,), UnsupportedMediaTypeError),
        ((b"\x89PNG\r\n\x1a\n" + bytes(100),), UnsupportedMediaTypeError),
    ],
)
async def test_what_is_no_document_leaves_nothing(
    jobs: JobService, tmp_path: Path, parts: tuple[bytes, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await jobs.submit_document("a.pdf", chunks(*parts), DocumentOptions())
    assert not (tmp_path / "tasks").exists()
    assert (await jobs.list_newest(limit=10)).tasks == []


async def test_an_upload_that_breaks_off_leaves_nothing(jobs: JobService, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PDF
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await jobs.submit_document("a.pdf", broken(), DocumentOptions())
    assert [path for path in (tmp_path / "tasks").rglob("*") if path.is_file()] == []
    assert (await jobs.list_newest(limit=10)).tasks == []


async def test_an_upload_is_deleted_when_the_database_is_down(
    storage: LocalStorage, queue: RememberingQueue, tmp_path: Path
) -> None:
    async with Database("postgresql://127.0.0.1:9/none") as unreachable:
        jobs = JobService(unreachable, storage, queue)
        with pytest.raises(StorageUnavailableError):
            await submit(jobs)
    assert [path for path in (tmp_path / "tasks").rglob("*") if path.is_file()] == []
    assert queue.enqueued == []


async def test_nobody_finds_a_task_that_was_never_there(jobs: JobService) -> None:
    with pytest.raises(TaskNotFoundError):
        await jobs.get(uuid4())


async def test_a_cancel_reaches_database_and_engine(
    jobs: JobService, running: RunningRequests
) -> None:
    task_id = await submit(jobs)

    async def read_page() -> None:
        with running.track(str(task_id)):
            await asyncio.sleep(60)

    page = asyncio.create_task(read_page())
    await asyncio.sleep(0)
    canceled = await jobs.cancel_or_delete(task_id)

    assert canceled is not None
    assert canceled.status is TaskStatus.CANCELED
    assert canceled.finished_at is not None
    with pytest.raises(RequestCanceledError):
        await page


async def test_a_finished_task_is_deleted_with_its_files(
    jobs: JobService, database: Database, storage: LocalStorage
) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, TaskStatus.SUCCEEDED)
    assert await jobs.cancel_or_delete(task_id) is None
    assert await storage.size(upload_key(task_id)) is None
    with pytest.raises(TaskNotFoundError):
        await jobs.cancel_or_delete(task_id)


async def test_a_result_is_read_as_it_was_stored(
    jobs: JobService, database: Database, storage: LocalStorage
) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, TaskStatus.SUCCEEDED)
    await storage.write(result_key(task_id, ResultKind.MARKDOWN), chunks(b"# Hel", b"lo"))
    task, file = await jobs.open_result(task_id, ResultKind.MARKDOWN)
    assert (task.id, file.num_bytes) == (task_id, 7)
    assert b"".join([chunk async for chunk in file.chunks]) == b"# Hello"


async def test_a_result_that_is_deleted_while_it_is_sent_comes_to_its_end(
    jobs: JobService, database: Database, storage: LocalStorage
) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, TaskStatus.SUCCEEDED)
    await storage.write(result_key(task_id, ResultKind.ZIP), chunks(bytes(3_000_000)))

    _, file = await jobs.open_result(task_id, ResultKind.ZIP)
    sent = len(await anext(file.chunks))
    await jobs.cancel_or_delete(task_id)
    sent += sum([len(chunk) async for chunk in file.chunks])

    assert sent == file.num_bytes == 3_000_000
    with pytest.raises(TaskNotFoundError):
        await jobs.open_result(task_id, ResultKind.ZIP)


async def test_there_is_no_result_before_the_end(jobs: JobService) -> None:
    with pytest.raises(TaskNotFinishedError, match="queued"):
        await jobs.open_result(await submit(jobs), ResultKind.ZIP)


@pytest.mark.parametrize("status", [TaskStatus.CANCELED, TaskStatus.FAILED])
async def test_a_task_that_ended_badly_has_no_result(
    jobs: JobService, database: Database, status: TaskStatus
) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, status)
    with pytest.raises(TaskAlreadyFinishedError, match=status):
        await jobs.open_result(task_id, ResultKind.ZIP)


async def test_a_result_whose_file_is_gone_says_so(jobs: JobService, database: Database) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, TaskStatus.SUCCEEDED)
    with pytest.raises(StoredFileNotFoundError):
        await jobs.open_result(task_id, ResultKind.ZIP)


async def test_a_watch_tells_each_change_and_the_end(jobs: JobService, database: Database) -> None:
    task_id = await submit(jobs)
    seen = []
    async for progress in jobs.watch(await jobs.get(task_id)):
        seen.append((progress.task.status, progress.task.num_pages))
        if len(seen) == 1:
            async with database.transaction() as session:
                await TaskRepository(session).start(task_id, now=NOW)
                await PageRepository(session).add(task_id, [1, 2])
        else:
            await jobs.cancel_or_delete(task_id)
    assert seen == [("queued", None), ("running", 2), ("canceled", 2)]


async def test_a_watch_of_a_finished_task_ends_at_once(
    jobs: JobService, database: Database
) -> None:
    task_id = await submit(jobs)
    await end(database, task_id, TaskStatus.FAILED)
    assert [progress.is_last async for progress in jobs.watch(await jobs.get(task_id))] == [True]


async def test_a_watch_hears_that_its_task_was_deleted(
    jobs: JobService, database: Database
) -> None:
    task_id = await submit(jobs)
    changes = jobs.watch(await jobs.get(task_id))
    await anext(changes)
    async with database.transaction() as session:
        await TaskRepository(session).delete(task_id)
    with pytest.raises(TaskNotFoundError):
        await anext(changes)


async def test_many_watchers_see_the_same(jobs: JobService) -> None:
    task_id = await submit(jobs)

    async def watch() -> list[str]:
        task = await jobs.get(task_id)
        return [progress.task.status.value async for progress in jobs.watch(task)]

    watches = [asyncio.create_task(watch()) for _ in range(50)]
    await asyncio.sleep(0.1)
    await jobs.cancel_or_delete(task_id)
    assert await asyncio.gather(*watches) == [["queued", "canceled"]] * 50


async def test_watches_end_when_the_service_stops(jobs: JobService) -> None:
    task_id = await submit(jobs)
    seen = []
    async for progress in jobs.watch(await jobs.get(task_id)):
        seen.append(progress.is_last)
        await jobs.end_watches()
    assert seen == [False]


async def test_the_speed_of_a_running_task_is_told(jobs: JobService, database: Database) -> None:
    task_id = await submit(jobs)
    async with database.transaction() as session:
        started_at = datetime.now(UTC) - timedelta(seconds=10)
        await TaskRepository(session).start(task_id, now=started_at)
        pages = PageRepository(session)
        await pages.add(task_id, [1, 2, 3])
        await pages.fail_exhausted(
            task_id, now=NOW, max_claims=0, reason="tried", reason_code="tried"
        )
    async for progress in jobs.watch(await jobs.get(task_id)):
        assert progress.estimate.pages_per_second == pytest.approx(0.3, rel=0.2)
        break


class InterruptedDatabase(Database):
    """Goes away when told."""

    is_away = False

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        if self.is_away:
            raise StorageUnavailableError("The server is down.")
        return super().reading()


async def test_a_watch_outlives_an_outage_of_the_database(
    jobs: JobService, storage: LocalStorage, queue: RememberingQueue, tmp_path: Path
) -> None:
    task_id = await submit(jobs)
    async with InterruptedDatabase(f"sqlite:///{tmp_path / 'folio.db'}") as database:
        watcher = JobService(database, storage, queue)
        seen = []
        async for progress in watcher.watch(await watcher.get(task_id)):
            seen.append(progress.task.status.value)
            if len(seen) == 1:
                database.is_away = True
                await asyncio.sleep(0.6)
                await jobs.cancel_or_delete(task_id)
                database.is_away = False
        await watcher.close()
    assert seen == ["queued", "canceled"]
