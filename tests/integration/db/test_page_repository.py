import asyncio
from collections import Counter

from folio.db import Database, PageOutcome, PageRepository, PageStatus
from tests.integration.db.rows import NOW, add_task, claim, finish, get_page, get_task, seconds


async def test_pages_are_added_once(database: Database) -> None:
    task_id = await add_task(database)
    for _ in range(2):
        async with database.transaction() as session:
            await PageRepository(session).add(task_id, (2, 3, 7))

    async with database.reading() as session:
        pages = await PageRepository(session).list_range(task_id)
        assert await PageRepository(session).count_pending(task_id) == 3
    assert [page.page_number for page in pages] == [2, 3, 7]
    assert (await get_task(database, task_id)).num_pages == 3


async def test_a_long_document_is_listed_in_pieces(database: Database) -> None:
    task_id = await add_task(database, num_pages=5)

    async with database.reading() as session:
        pages = await PageRepository(session).list_range(task_id, after=2, limit=2)

    assert [page.page_number for page in pages] == [3, 4]


async def test_pages_are_claimed_in_order_and_by_one_worker(database: Database) -> None:
    task_id = await add_task(database, num_pages=5)

    first = await claim(database, task_id, "a", limit=2)
    second = await claim(database, task_id, "b", limit=9)

    assert [page.page_number for page in first] == [1, 2]
    assert [page.page_number for page in second] == [3, 4, 5]
    assert await claim(database, task_id, "c") == []


async def test_a_worker_claims_within_its_range(database: Database) -> None:
    task_id = await add_task(database, num_pages=9)

    async with database.transaction() as session:
        pages = await PageRepository(session).claim(
            task_id, "a", now=NOW, expires_at=seconds(9), max_claims=1, limit=9, first=3, last=5
        )

    assert [page.page_number for page in pages] == [3, 4, 5]


async def test_many_workers_finish_every_page_once(database: Database) -> None:
    task_id = await add_task(database, num_pages=60)
    done: Counter[int] = Counter()

    async def work(owner: str) -> None:
        while pages := await claim(database, task_id, owner, limit=3):
            for page in pages:
                done[page.page_number] += await finish(database, page)

    await asyncio.gather(*(work(f"worker {number}") for number in range(6)))

    assert done == Counter(range(1, 61))
    assert (await get_task(database, task_id)).pages_done == 60


async def test_who_finishes_the_last_page_is_told_so(database: Database) -> None:
    task_id = await add_task(database, num_pages=3)
    told = []
    for page in await claim(database, task_id, limit=3):
        async with database.transaction() as session:
            stored = await PageRepository(session).finish(
                page, PageOutcome(PageStatus.OK, NOW, NOW)
            )
        told.append(stored and stored.is_last)

    assert told == [False, False, True]


async def test_an_outcome_is_kept_as_it_is(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (page,) = await claim(database, task_id)
    outcome = PageOutcome(
        PageStatus.RETRIED,
        started_at=seconds(1),
        finished_at=seconds(3.25),
        reason="The first attempt looped.",
        text="Straße 北京 \N{GRINNING FACE}",
        markdown="# A",
        raw_attempts=[{"raw_text": "a a a", "finish_reason": "repetition"}, {"raw_text": "A"}],
        blocks=[{"label": "title", "text": "A", "boxes": [[1, 2, 3, 4]]}],
        usage={"prompt_tokens": 911, "image_tokens": 903, "completion_tokens": 5},
        mode="gundam",
        width=1190,
        height=1684,
    )

    async with database.transaction() as session:
        assert await PageRepository(session).finish(page, outcome)

    row = await get_page(database, task_id, 1)
    assert all(getattr(row, name) == value for name, value in vars(outcome).items())
    assert row.duration_ms == 2250


async def test_text_that_no_database_holds_is_made_storable(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (page,) = await claim(database, task_id)
    outcome = PageOutcome(
        PageStatus.OK, NOW, NOW, text="a\0b\ud800", raw_attempts=[{"raw_text": "a\0b"}]
    )

    async with database.transaction() as session:
        assert await PageRepository(session).finish(page, outcome)

    row = await get_page(database, task_id, 1)
    assert row.text == "a\ufffdb?"
    assert row.raw_attempts == [{"raw_text": "a\ufffdb"}]


async def test_a_finished_page_is_never_claimed_or_finished_again(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (page,) = await claim(database, task_id)

    assert await finish(database, page)
    assert not await finish(database, page, PageStatus.FAILED)
    assert await claim(database, task_id, now=seconds(9999)) == []

    task = await get_task(database, task_id)
    assert (task.pages_done, task.pages_failed) == (1, 0)


async def test_a_page_of_a_dead_worker_goes_to_the_next(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (dead,) = await claim(database, task_id, "a")

    (alive,) = await claim(database, task_id, "b", now=seconds(60))

    assert not await finish(database, dead)
    assert await finish(database, alive)
    assert (await get_page(database, task_id, 1)).text == "by b"


async def test_a_worker_that_comes_back_cannot_use_its_old_claim(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (old,) = await claim(database, task_id, "a")
    (new,) = await claim(database, task_id, "a", now=seconds(60))

    assert not await finish(database, old)
    assert await finish(database, new)


async def test_a_heartbeat_keeps_a_page(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    (page,) = await claim(database, task_id)

    async with database.transaction() as session:
        assert await PageRepository(session).extend(page, expires_at=seconds(300))

    assert await claim(database, task_id, "b", now=seconds(299)) == []
    assert await claim(database, task_id, "b", now=seconds(300)) != []
    async with database.transaction() as session:
        assert not await PageRepository(session).extend(page, expires_at=seconds(999))


async def test_a_page_that_is_given_back_is_free_and_not_a_try(database: Database) -> None:
    task_id = await add_task(database, num_pages=1)
    for _ in range(5):
        (page,) = await claim(database, task_id)
        async with database.transaction() as session:
            assert await PageRepository(session).release(page)

    assert [page.num_claims for page in await claim(database, task_id)] == [1]


async def test_a_page_that_kills_its_workers_is_given_up(database: Database) -> None:
    task_id = await add_task(database, num_pages=2)
    for attempt in range(3):
        assert len(await claim(database, task_id, now=seconds(60 * attempt), limit=2)) == 2

    assert await claim(database, task_id, now=seconds(999), limit=2) == []
    async with database.transaction() as session:
        num_failed = await PageRepository(session).fail_exhausted(
            task_id,
            now=seconds(999),
            max_claims=3,
            reason="Its workers died.",
            reason_code="workers_died",
        )

    assert num_failed == 2
    task = await get_task(database, task_id)
    assert (task.pages_done, task.pages_failed) == (2, 2)
    page = await get_page(database, task_id, 2)
    assert (page.reason, page.reason_code) == ("Its workers died.", "workers_died")


async def test_failed_pages_count_as_done_and_as_failed(database: Database) -> None:
    task_id = await add_task(database, num_pages=2)
    good, bad = await claim(database, task_id, limit=2)
    await finish(database, good)
    await finish(database, bad, PageStatus.FAILED)

    task = await get_task(database, task_id)
    assert (task.pages_done, task.pages_failed) == (2, 1)
