import uuid
from datetime import timedelta, timezone
from uuid import UUID

import pytest

from folio.db import Database, TaskError, TaskRepository, TaskStatus
from folio.errors import InvalidInputError
from tests.integration.db.rows import NOW, add_task, claim, get_task, seconds


async def list_all(
    database: Database, *, limit: int, status: TaskStatus | None = None
) -> list[UUID]:
    """Page by page to the end."""
    task_ids: list[UUID] = []
    cursor = None
    while True:
        async with database.reading() as session:
            listing = await TaskRepository(session).list_newest(
                limit=limit, cursor=cursor, status=status
            )
        task_ids += [task.id for task in listing.tasks]
        cursor = listing.next_cursor
        if cursor is None:
            return task_ids


async def finish_task(
    database: Database, task_id: UUID, status: TaskStatus, error: TaskError | None = None
) -> bool:
    async with database.transaction() as session:
        return await TaskRepository(session).finish(task_id, status, now=seconds(5.5), error=error)


async def lease(database: Database, task_id: UUID, owner: str, at_seconds: float) -> bool:
    async with database.transaction() as session:
        return await TaskRepository(session).lease(
            task_id, owner, now=seconds(at_seconds), expires_at=seconds(at_seconds + 60)
        )


async def take_stalled(database: Database, at_seconds: float) -> list[UUID]:
    async with database.transaction() as session:
        return await TaskRepository(session).take_stalled(
            now=seconds(at_seconds), enqueued_before=seconds(at_seconds - 30), limit=10
        )


async def test_a_new_task_is_queued(database: Database) -> None:
    other_zone = NOW.astimezone(timezone(timedelta(hours=5)))

    task = await get_task(database, await add_task(database, queued_at=other_zone))

    assert (task.status, task.queued_at, task.options) == (TaskStatus.QUEUED, NOW, {"dpi": 144})
    assert task.queued_at.utcoffset() == timedelta(0)
    assert (task.pages_done, task.num_pages) == (0, None)


async def test_an_unknown_task_is_none(database: Database) -> None:
    async with database.transaction() as session:
        tasks = TaskRepository(session)
        assert await tasks.get(uuid.uuid4()) is None
        assert not await tasks.start(uuid.uuid4(), now=NOW)
        assert not await tasks.finish(uuid.uuid4(), TaskStatus.FAILED, now=NOW)
        assert not await tasks.delete(uuid.uuid4())


async def test_a_task_that_starts_again_keeps_its_first_start(database: Database) -> None:
    task_id = await add_task(database)
    for at_seconds in (1, 9):
        async with database.transaction() as session:
            assert await TaskRepository(session).start(task_id, now=seconds(at_seconds))

    task = await get_task(database, task_id)
    assert (task.status, task.started_at) == (TaskStatus.RUNNING, seconds(1))


async def test_the_first_end_of_a_task_stays(database: Database) -> None:
    task_id = await add_task(database)
    error = TaskError("corrupt_document", "Export it again.", page_number=3)

    assert await finish_task(database, task_id, TaskStatus.FAILED, error)
    assert not await finish_task(database, task_id, TaskStatus.SUCCEEDED)
    async with database.transaction() as session:
        assert not await TaskRepository(session).start(task_id, now=seconds(9))

    task = await get_task(database, task_id)
    assert (task.status, task.duration_ms) == (TaskStatus.FAILED, 5500)
    assert (task.error_code, task.error_page_number) == ("corrupt_document", 3)


async def test_the_listing_gives_every_task_once_newest_first(database: Database) -> None:
    ages = [0, 1, 1, 1, 2, 3, 3]
    tasks = [(seconds(-age), await add_task(database, queued_at=seconds(-age))) for age in ages]

    listed = await list_all(database, limit=2)

    expected = sorted(tasks, key=lambda task: (task[0], task[1].hex), reverse=True)
    assert listed == [task_id for _, task_id in expected]


async def test_tasks_that_come_in_while_one_lists_shift_nothing(database: Database) -> None:
    oldest, middle, newest = [
        await add_task(database, queued_at=seconds(second)) for second in (0, 1, 2)
    ]
    async with database.reading() as session:
        first = await TaskRepository(session).list_newest(limit=1)
    for _ in range(3):
        await add_task(database, queued_at=seconds(3))
    async with database.reading() as session:
        rest = await TaskRepository(session).list_newest(limit=10, cursor=first.next_cursor)

    assert [task.id for task in (*first.tasks, *rest.tasks)] == [newest, middle, oldest]


async def test_the_listing_filters_by_status(database: Database) -> None:
    canceled = await add_task(database)
    await add_task(database)
    await finish_task(database, canceled, TaskStatus.CANCELED)

    assert await list_all(database, limit=1, status=TaskStatus.CANCELED) == [canceled]


@pytest.mark.parametrize("cursor", ["", "x", "????", "bm9w", "MjAyNi0wMS0wMSBhYg", "ä", "a" * 9999])
async def test_a_foreign_cursor_is_refused(database: Database, cursor: str) -> None:
    async with database.reading() as session:
        with pytest.raises(InvalidInputError, match="cursor"):
            await TaskRepository(session).list_newest(limit=5, cursor=cursor)


async def test_a_deleted_task_takes_its_pages_along(database: Database) -> None:
    task_id = await add_task(database, num_pages=3)

    async with database.transaction() as session:
        assert await TaskRepository(session).delete(task_id)

    assert await claim(database, task_id) == []


async def test_one_owner_holds_a_task_until_its_lease_ends(database: Database) -> None:
    task_id = await add_task(database)

    assert await lease(database, task_id, "a", 0)
    assert not await lease(database, task_id, "b", 59)
    assert await lease(database, task_id, "a", 59)
    assert not await lease(database, task_id, "b", 61)
    assert await lease(database, task_id, "b", 119)


async def test_a_released_task_is_free(database: Database) -> None:
    task_id = await add_task(database)
    await lease(database, task_id, "a", 0)

    async with database.transaction() as session:
        assert not await TaskRepository(session).release(task_id, "b")
        assert await TaskRepository(session).release(task_id, "a")

    assert await lease(database, task_id, "b", 1)


async def test_a_task_that_nobody_works_on_is_taken_once(database: Database) -> None:
    task_id = await add_task(database)

    assert await take_stalled(database, 29) == []
    assert await take_stalled(database, 31) == [task_id]
    assert await take_stalled(database, 32) == []
    assert await take_stalled(database, 62) == [task_id]


async def test_a_task_that_is_worked_on_or_over_is_not_stalled(database: Database) -> None:
    leased, with_page, over = [await add_task(database, num_pages=2) for _ in range(3)]
    await lease(database, leased, "a", 0)
    await claim(database, with_page)
    await finish_task(database, over, TaskStatus.SUCCEEDED)

    assert await take_stalled(database, 40) == []
    assert set(await take_stalled(database, 61)) == {leased, with_page}


async def test_tasks_past_their_time_are_found(database: Database) -> None:
    task_id = await add_task(database)
    await add_task(database)
    await finish_task(database, task_id, TaskStatus.SUCCEEDED)

    async with database.reading() as session:
        tasks = TaskRepository(session)
        assert await tasks.list_finished_before(seconds(5), limit=9) == []
        assert await tasks.list_finished_before(seconds(6), limit=9) == [task_id]
