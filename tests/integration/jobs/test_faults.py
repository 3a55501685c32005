"""Whatever dies on the way: the document ends, and no finished page is read again."""

import asyncio
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest

from folio.db import PageStatus, TaskRepository, TaskStatus
from folio.jobs.clock import now
from folio.jobs.keys import ResultKind, result_key
from tests.integration.conftest import migrate_at
from tests.integration.jobs.conftest import MakeHouse
from tests.integration.jobs.house import House
from tests.postgres import MISSING, PostgresServer, find_binaries
from tests.programs import eventually
from tests.redis import RedisServer

SLOW = {"SECONDS_PER_TOKEN": "0.02"}  # a page takes about 0.3 s
NUM_KILLS = 10

Cancel = Callable[[House, UUID], Awaitable[None]]


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    binaries = find_binaries()
    assert binaries is not None, MISSING
    with tempfile.TemporaryDirectory(prefix="folio-postgres-") as folder:
        server = PostgresServer(Path(folder), binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def test_a_worker_killed_ten_times_reads_no_finished_page_again(
    make_house: MakeHouse, pdf_of_60: Path
) -> None:
    house = make_house(**SLOW, MAX_PAGE_CLAIMS="50")
    chance = random.Random(20261124)
    await house.start_service()
    worker = house.start_worker()
    task_id = await house.submit(pdf_of_60)

    for _ in range(NUM_KILLS):
        done = (await house.task(task_id)).pages_done
        await house.wait_for_pages(task_id, done + chance.randint(1, 3))
        await asyncio.sleep(chance.random() * 0.3)
        worker.kill()
        worker.start()
    task = await house.wait_for_end(task_id)

    assert (task.status, task.pages_done, task.pages_failed) == (TaskStatus.SUCCEEDED, 60, 0)
    await assert_no_stored_page_was_read_again(house, task_id)
    undisturbed = await house.submit(pdf_of_60)
    await house.wait_for_end(undisturbed)
    assert await house.results(task_id) == await house.results(undisturbed)


async def test_the_service_killed_goes_on_at_once_from_the_last_finished_page(
    make_embedded_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_embedded_house(**SLOW, LEASE_SECONDS="300")
    await house.start_service()
    task_id = await house.submit(pdf_of_30)

    for num_pages in (3, 9, 15):
        await house.wait_for_pages(task_id, num_pages)
        house.service.kill()
        await house.start_service()
    task = await house.wait_for_end(task_id, seconds=20)

    assert (task.status, task.pages_done) == (TaskStatus.SUCCEEDED, 30)
    await assert_no_stored_page_was_read_again(house, task_id)


async def test_the_service_killed_while_a_worker_waits_for_its_engine_costs_no_page(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW)
    await house.start_service()
    house.start_worker()
    task_id = await house.submit(pdf_of_30)

    for num_pages in (3, 12):
        await house.wait_for_pages(task_id, num_pages)
        house.service.kill()
        await house.start_service()
    task = await house.wait_for_end(task_id)

    assert (task.status, task.pages_done, task.pages_failed) == (TaskStatus.SUCCEEDED, 30, 0)
    await assert_no_stored_page_was_read_again(house, task_id)


async def test_the_service_stopped_gives_its_pages_back_untouched(
    make_embedded_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_embedded_house(**SLOW)
    await house.start_service()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    house.service.stop(timeout_seconds=5)

    pages = await house.pages(task_id)
    assert {page.lease_owner for page in pages} == {None}
    assert {page.num_claims for page in pages if page.status is PageStatus.PENDING} == {0}
    await house.start_service()
    assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED


async def test_a_worker_stopped_gives_its_pages_back_untouched(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW, LEASE_SECONDS="300")
    await house.start_service()
    worker = house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    assert worker.stop(timeout_seconds=5) == 0

    pages = await house.pages(task_id)
    assert {page.lease_owner for page in pages} == {None}
    assert {page.num_claims for page in pages if page.status is PageStatus.PENDING} == {0}


async def test_a_worker_stopped_before_a_slow_engine_hands_its_document_to_another(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    never = {"LEASE_SECONDS": "300", "REAPER_INTERVAL_SECONDS": "300"}
    house = make_house(SECONDS_PER_TOKEN="60", PAGES_PER_RANGE="16", **never)
    await house.start_service()
    stopped = house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await eventually(lambda: house.num_running == 4)

    assert stopped.stop(timeout_seconds=8) == 0

    assert {page.num_claims for page in await house.pages(task_id)} == {0}
    house.start_worker()
    await eventually(lambda: house.num_running == 4)


async def test_a_page_that_kills_its_workers_fails_and_the_others_do_not(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW, MAX_PAGE_CLAIMS="3")
    await house.start_service()
    worker = house.start_worker()
    task_id = await house.submit(pdf_of_30)

    for num_deaths in range(1, 4):
        await eventually(lambda deaths=num_deaths: count_begun(house)[7] >= deaths)
        worker.kill()
        worker.start()
    task = await house.wait_for_end(task_id)

    pages = {page.page_number: page for page in await house.pages(task_id)}
    failed = [number for number, page in pages.items() if page.status is PageStatus.FAILED]
    assert (task.status, failed) == (TaskStatus.SUCCEEDED, [7])
    assert "died" in (pages[7].reason or "")


async def test_tasks_queued_in_a_redis_that_lost_everything_are_found(
    make_house: MakeHouse, redis: RedisServer, pdf_of_1: Path
) -> None:
    house = make_house()
    await house.start_service()
    queued = [await house.submit(pdf_of_1) for _ in range(3)]

    redis.stop()
    queued.append(await house.submit(pdf_of_1))  # while there is no Redis at all
    redis.start()
    house.start_worker()

    for task_id in queued:
        assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED


async def test_a_redis_restarted_in_the_middle_of_a_document_costs_nothing(
    make_house: MakeHouse, redis: RedisServer, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW)
    await house.start_service()
    house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    redis.stop()
    await asyncio.sleep(1)
    redis.start()

    assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED
    assert len(house.calls("begin")) == 30


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_postgres_restarted_while_pages_run_loses_no_page(
    mode: str, postgres: PostgresServer, redis: RedisServer, tmp_path: Path, pdf_of_30: Path
) -> None:
    url = f"{postgres.url}/postgres"
    await migrate_at(url)
    house = House(tmp_path, database_url=url, redis_url=redis.url, settings=SLOW)
    try:
        await house.start_service()
        house.start_worker()
        task_id = await house.submit(pdf_of_30)
        await house.wait_for_pages(task_id, 5)

        await asyncio.to_thread(postgres.stop, mode)
        await asyncio.sleep(1)
        await asyncio.to_thread(postgres.start)

        task = await house.wait_for_end(task_id)
        assert (task.status, task.pages_done) == (TaskStatus.SUCCEEDED, 30)
        await assert_no_stored_page_was_read_again(house, task_id)
    finally:
        await house.close()


@pytest.mark.parametrize("trouble", ["503", "429"])
async def test_an_engine_in_trouble_is_waited_for(
    trouble: str, make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW)
    await house.start_service()
    house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    house.set_trouble(trouble)
    await asyncio.sleep(2)
    house.set_trouble("")

    task = await house.wait_for_end(task_id)
    assert (task.status, task.pages_failed) == (TaskStatus.SUCCEEDED, 0)


async def test_pages_are_given_back_when_an_engine_was_waited_for_in_vain(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(WORKER_ENGINE_WAIT_SECONDS="0.5")
    house.set_trouble("503")
    await house.start_service()
    house.start_worker()
    task_id = await house.submit(pdf_of_30)

    await asyncio.sleep(5)
    house.set_trouble("")

    task = await house.wait_for_end(task_id)
    assert (task.status, task.pages_failed) == (TaskStatus.SUCCEEDED, 0)


async def test_a_full_disk_delays_the_results(make_house: MakeHouse, pdf_of_30: Path) -> None:
    house = make_house(**SLOW)
    await house.start_service()
    worker = house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    limit_file_size(worker.pid, 20_000)
    await house.wait_for_pages(task_id, 30)
    await asyncio.sleep(3)
    assert (await house.task(task_id)).status is TaskStatus.RUNNING
    assert await house.storage.size(result_key(task_id, ResultKind.ZIP)) is None

    limit_file_size(worker.pid, resource.RLIM_INFINITY)
    assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED


async def test_a_disk_that_stays_full_ends_in_an_honest_error(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house(**SLOW, RESULTS_RETRY_SECONDS="3")
    await house.start_service()
    worker = house.start_worker()
    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 5)

    limit_file_size(worker.pid, 20_000)
    task = await house.wait_for_end(task_id)

    assert (task.status, task.error_code) == (TaskStatus.FAILED, "storage_unavailable")
    assert "disk is full" in (task.error_message or "")


async def cancel_here(house: House, task_id: UUID) -> None:
    """By the service whose engine reads the pages."""
    async with httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.delete(f"/api/tasks/{task_id}")
    assert answer.json()["status"] == "canceled"


async def cancel_elsewhere(house: House, task_id: UUID) -> None:
    """By a service that has no page of it."""
    async with house.database.transaction() as session:
        await TaskRepository(session).finish(task_id, TaskStatus.CANCELED, now=now())


@pytest.mark.alone
@pytest.mark.parametrize("cancel", [cancel_here, cancel_elsewhere])
async def test_a_canceled_task_leaves_the_engine_within_two_seconds(
    cancel: Cancel, make_house: MakeHouse, pdf_of_50: Path
) -> None:
    house = make_house(SECONDS_PER_TOKEN="0.5")
    house.start_worker()

    await assert_cancel_takes_effect(house, pdf_of_50, cancel)


@pytest.mark.alone
async def test_a_task_canceled_without_a_broker_leaves_the_engine_within_two_seconds(
    make_embedded_house: MakeHouse, pdf_of_50: Path
) -> None:
    house = make_embedded_house(SECONDS_PER_TOKEN="0.5")

    await assert_cancel_takes_effect(house, pdf_of_50, cancel_here)


async def assert_cancel_takes_effect(house: House, pdf: Path, cancel: Cancel) -> None:
    """Canceled while page 3 is read."""
    await house.start_service()
    task_id = await house.submit(pdf)
    await eventually(lambda: count_begun(house)[3] > 0)

    await cancel(house, task_id)
    canceled_at = time.time()
    await eventually(lambda: not house.num_running, seconds=2)

    await asyncio.sleep(2)
    assert not [call for call in house.calls("begin") if call.at > canceled_at + 2]
    assert (await house.task(task_id)).status is TaskStatus.CANCELED


def count_begun(house: House) -> Counter[int]:
    """How often the engine began each page."""
    return Counter(call.page_number for call in house.calls("begin"))


async def assert_no_stored_page_was_read_again(house: House, task_id: UUID) -> None:
    stored = {
        page.page_number: page.finished_at.timestamp()
        for page in await house.pages(task_id)
        if page.finished_at is not None
    }
    begun = [call for call in house.calls("begin") if call.task_id == task_id]
    again = [call for call in begun if call.at > stored[call.page_number]]
    assert not again
    assert {call.page_number for call in begun} == set(stored)


def limit_file_size(pid: int, num_bytes: int) -> None:
    """For the worker's processes a longer file is a full disk: the kernel says EFBIG."""
    for process in psutil.Process(pid).children(recursive=True):
        process.rlimit(psutil.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))
