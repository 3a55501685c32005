import asyncio
import errno
import os
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from folio.db import Database, NewTask, TaskKind, TaskRepository
from folio.errors import StorageUnavailableError
from tests.integration.db.rows import NOW, add_task, claim, finish, get_task
from tests.postgres import execute


def new_task() -> NewTask:
    return NewTask(uuid.uuid4(), TaskKind.IMAGE, "a.png", {}, NOW)


def cut_connections(server_url: str, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    execute(
        server_url,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


async def test_an_exception_rolls_back(database: Database) -> None:
    task = new_task()

    async def fail() -> None:
        async with database.transaction() as session:
            TaskRepository(session).add(task)
            await session.flush()
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await fail()

    async with database.reading() as session:
        assert await TaskRepository(session).get(task.id) is None


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    task_id = await add_task(database)

    async with database.transaction() as session:
        await TaskRepository(session).start(task_id, now=NOW)
        task = await asyncio.wait_for(get_task(database, task_id), timeout=5)

    assert task.started_at is None


async def test_looks_are_quick_while_many_write(database: Database) -> None:
    task_id = await add_task(database, num_pages=200)
    slowest = 0.0

    async def finish_pages() -> None:
        while claims := await claim(database, task_id, limit=1):
            assert await finish(database, claims[0])

    writing = asyncio.gather(*(finish_pages() for _ in range(8)))
    while not writing.done():
        started = time.monotonic()
        await get_task(database, task_id)
        slowest = max(slowest, time.monotonic() - started)
        await asyncio.sleep(0.005)
    await writing

    assert (await get_task(database, task_id)).pages_done == 200
    assert slowest < 10  # SQLite's wait for a lock would be 30 seconds


async def test_twenty_may_look_at_once(database: Database) -> None:
    task_id = await add_task(database)
    all_look = asyncio.Barrier(20)

    async def look() -> bool:
        async with database.reading() as session:
            task = await TaskRepository(session).get(task_id)
            await asyncio.wait_for(all_look.wait(), timeout=20)
        return task is not None

    assert await asyncio.gather(*(look() for _ in range(20))) == [True] * 20


async def test_a_look_gives_plain_rows_too(database: Database) -> None:
    async with database.reading() as session:
        rows = await session.execute(text("SELECT 1, 2"))
    assert [tuple(row) for row in rows] == [(1, 2)]


async def test_writers_that_read_first_wait_for_each_other(database: Database) -> None:
    task_id = await add_task(database)

    async def add_one() -> None:
        async with database.transaction() as session:
            tasks = TaskRepository(session)
            assert await tasks.get(task_id) is not None
            await session.execute(text("UPDATE tasks SET pages_done = pages_done + 1"))

    await asyncio.gather(*(add_one() for _ in range(20)))

    assert (await get_task(database, task_id)).pages_done == 20


async def test_a_server_that_is_down_is_said() -> None:
    async with Database("postgresql://postgres@127.0.0.1:1/folio") as database:
        with pytest.raises(StorageUnavailableError, match="DATABASE_URL"):
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))


async def test_a_server_whose_name_is_gone_is_said() -> None:
    """As a container's is when it is stopped."""
    async with Database("postgresql://postgres@nowhere.invalid/folio") as database:
        with pytest.raises(StorageUnavailableError, match="DATABASE_URL"):
            await database.ping()


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
async def test_a_server_that_no_way_leads_to_is_said(database: Database, number: int) -> None:
    with pytest.raises(StorageUnavailableError):
        async with database.reading():
            raise OSError(number, os.strerror(number))


async def test_a_disk_that_is_full_is_not_the_databases_fault(database: Database) -> None:
    with pytest.raises(OSError, match="No space left"):
        async with database.reading():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "folio.db").write_bytes(b"This is a diary." * 100)
    async with Database(f"sqlite:///{tmp_path / 'folio.db'}") as database:
        with pytest.raises(StorageUnavailableError):
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_connections_that_the_server_cut_are_replaced(
    database: Database, database_url: str, postgres_url: str
) -> None:
    task_id = await add_task(database)
    await asyncio.to_thread(cut_connections, postgres_url, database_url)

    assert (await get_task(database, task_id)).id == task_id


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_connection_cut_in_the_middle_is_said(
    database: Database, database_url: str, postgres_url: str
) -> None:
    async def lose_the_connection() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            await asyncio.to_thread(cut_connections, postgres_url, database_url)
            await session.execute(text("SELECT 1"))

    with pytest.raises(StorageUnavailableError):
        await lose_the_connection()


async def test_passwords_stay_out_of_the_message() -> None:
    async with Database("postgresql://me:secret@127.0.0.1:1/folio") as database:
        with pytest.raises(StorageUnavailableError) as caught:
            async with database.reading() as session:
                await session.execute(text("SELECT 1"))

    assert "secret" not in caught.value.message


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_server_that_does_not_answer_is_given_up(database_url: str) -> None:
    async with Database(database_url, answer_timeout_seconds=0.2) as database:
        with pytest.raises(StorageUnavailableError):
            async with database.reading() as session:
                await session.execute(text("SELECT pg_sleep(60)"))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_too_few_connections_are_said(database_url: str) -> None:
    async def hold_a_connection(database: Database) -> None:
        async with database.reading() as session:
            await session.execute(text("SELECT pg_sleep(0.5)"))

    async with Database(database_url, pool_size=1, answer_timeout_seconds=1) as database:
        answers = await asyncio.gather(
            *(hold_a_connection(database) for _ in range(60)), return_exceptions=True
        )

    errors = {type(answer) for answer in answers if answer is not None}
    assert errors == {StorageUnavailableError}
