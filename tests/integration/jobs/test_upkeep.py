"""Leases, the reaper and the retention on real databases, without workers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from folio.config import Settings
from folio.db import Database, TaskRepository, TaskStatus
from folio.db.migrate import find_schema_problem
from folio.errors import StorageUnavailableError
from folio.jobs.celery_app import QUEUE, make_celery
from folio.jobs.celery_queue import CeleryQueue
from folio.jobs.clock import now
from folio.jobs.keys import upload_key
from folio.jobs.leases import Leases
from folio.jobs.reaper import Reaper
from folio.jobs.retention import Retention
from folio.storage import LocalStorage
from tests.integration.db.rows import add_task, get_page, get_task

HOUR = timedelta(hours=1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def queue() -> Iterator[CeleryQueue]:
    with memory_queue() as queue:
        yield queue


@contextmanager
def memory_queue() -> Iterator[CeleryQueue]:
    """An empty one: all memory queues of a process are the same."""
    celery = make_celery(Settings())
    with celery.connection_for_write() as connection:
        celery.amqp.queues[QUEUE].bind(connection.default_channel).declare()
        connection.default_channel.queue_purge(QUEUE)
    queue = CeleryQueue(celery)
    yield queue
    queue.close()


def make_reaper(database: Database, queue: CeleryQueue) -> Reaper:
    return Reaper(database, queue, interval_seconds=1, patience_seconds=60)


async def test_a_task_that_no_queue_holds_is_enqueued_once(
    database: Database, queue: CeleryQueue
) -> None:
    await add_task(database, num_pages=3, queued_at=now() - HOUR)
    await add_task(database, num_pages=3, queued_at=now())
    reaper = make_reaper(database, queue)

    for _ in range(2):
        await reaper.sweep(patience=timedelta(minutes=1))

    assert await queue.num_waiting() == 1


async def test_a_new_queue_gets_only_what_was_enqueued_before_it(database: Database) -> None:
    """What came since has its message, and with it the trace that it belongs to."""
    await add_task(database, num_pages=3, queued_at=now() - HOUR)
    with memory_queue() as queue:
        await add_task(database, num_pages=3, queued_at=now())
        sweeping = asyncio.create_task(make_reaper(database, queue).run(is_queue_new=True))
        await asyncio.sleep(0.5)
        assert await queue.num_waiting() == 1
        sweeping.cancel()


@pytest.mark.parametrize("is_queue_new", [True, False])
async def test_a_task_does_not_wait_for_a_clock_that_was_set_back(
    database: Database, *, is_queue_new: bool
) -> None:
    await add_task(database, num_pages=3, queued_at=now() + HOUR)
    with memory_queue() as queue:
        reaper = make_reaper(database, queue)
        for _ in range(2):
            await reaper.sweep(patience=None if is_queue_new else timedelta(minutes=1))
        assert await queue.num_waiting() == 1


async def test_a_long_queue_is_not_made_longer(database: Database, queue: CeleryQueue) -> None:
    await add_task(database, queued_at=now() - HOUR)
    for _ in range(100):
        await queue.enqueue(uuid.uuid4())

    await make_reaper(database, queue).sweep(patience=timedelta(0))

    assert await queue.num_waiting() == 100


async def test_a_task_is_driven_by_one_at_a_time(database: Database) -> None:
    task_id = await add_task(database)
    leases = Leases(database, "a", lease_seconds=60, on_unwanted=lambda *_: None)
    others = Leases(database, "b", lease_seconds=60, on_unwanted=lambda *_: None)
    begun, released = asyncio.Event(), asyncio.Event()

    async def work(_: UUID) -> None:
        begun.set()
        await released.wait()

    first = asyncio.create_task(leases.drive(task_id, work))
    await begun.wait()
    assert not await leases.drive(task_id, work)
    assert not await others.drive(task_id, work)
    released.set()

    assert await first
    assert (await get_task(database, task_id)).lease_owner is None
    assert await others.drive(task_id, work)


async def test_leases_are_told_by_the_databases_clock(
    database_url: str, database: Database
) -> None:
    await set_clock_ahead(database, database_url.rpartition("/")[2])
    task_id = await add_task(database)
    leases = Leases(database, "a", lease_seconds=60, on_unwanted=lambda *_: None)
    expiries: list[datetime | None] = []

    async def look(_: UUID) -> None:
        expiries.append((await get_task(database, task_id)).lease_expires_at)

    assert await leases.drive(task_id, look)

    (expiry,) = expiries
    assert expiry is not None
    assert expiry > now() + HOUR


async def set_clock_ahead(database: Database, name: str) -> None:
    """Let this Postgres be an hour ahead of this machine, for connections to come."""
    statements = (
        "CREATE SCHEMA ahead",
        "CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
        "AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$",
        f"ALTER DATABASE {name} SET search_path TO ahead, public, pg_catalog",
    )
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))
    await database.close()


async def test_finished_tasks_go_with_their_files_when_their_time_is_over(
    database: Database, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    old, young, unfinished = [await add_task(database, num_pages=1) for _ in range(3)]
    for task_id in (old, young, unfinished):
        await storage.write(upload_key(task_id), one_chunk())
    await finish(database, old, hours_ago=3)
    await finish(database, young, hours_ago=1)

    assert await Retention(database, storage, hours=2).clean() == 1

    async with database.reading() as session:
        assert await TaskRepository(session).get(old) is None
    assert await storage.size(upload_key(old)) is None
    assert await storage.size(upload_key(young)) == await storage.size(upload_key(unfinished)) == 1
    assert (await get_page(database, unfinished, 1)).page_number == 1


async def test_a_task_that_cannot_be_deleted_keeps_none_of_the_others(
    database: Database, tmp_path: Path
) -> None:
    stuck, other = [await add_task(database) for _ in range(2)]
    await finish(database, stuck, hours_ago=4)
    await finish(database, other, hours_ago=3)

    class StuckStorage(LocalStorage):
        async def delete_folder(self, folder: str) -> None:
            if folder == str(stuck):
                raise StorageUnavailableError("The disk is read-only.")
            await super().delete_folder(folder)

    assert await Retention(database, StuckStorage(tmp_path), hours=2).clean() == 1

    async with database.reading() as session:
        assert set(await TaskRepository(session).get_many([stuck, other])) == {stuck}


async def test_no_retention_time_keeps_everything(database: Database, tmp_path: Path) -> None:
    task_id = await add_task(database)
    await finish(database, task_id, hours_ago=10_000)

    assert await Retention(database, LocalStorage(tmp_path), hours=0).clean() == 0


async def test_a_database_without_tables_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'empty.db'}") as empty:
        problem = await find_schema_problem(empty)

    assert problem is not None
    assert "no tables yet" in problem
    assert "folio migrate" in problem


async def test_a_database_with_the_newest_tables_has_no_problem(database: Database) -> None:
    assert await find_schema_problem(database) is None


async def finish(database: Database, task_id: UUID, *, hours_ago: float) -> None:
    async with database.transaction() as session:
        await TaskRepository(session).finish(
            task_id, TaskStatus.SUCCEEDED, now=now() - hours_ago * HOUR
        )


async def one_chunk() -> AsyncIterator[bytes]:
    yield b"x"
