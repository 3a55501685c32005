"""Requests of a task are stopped together, and nothing else is."""

import asyncio

import pytest

from folio.engine.running import RunningRequests, task_id_of
from folio.errors import RequestCanceledError


async def wait_for_ever(running: RunningRequests, task_id: str) -> None:
    with running.track(task_id):
        await asyncio.Event().wait()


async def start(running: RunningRequests, task_id: str) -> asyncio.Task[None]:
    work = asyncio.create_task(wait_for_ever(running, task_id))
    await asyncio.sleep(0)
    return work


async def test_a_canceled_task_ends_its_requests_with_an_error_of_ours() -> None:
    running = RunningRequests()
    works = [await start(running, "a"), await start(running, "a")]
    assert running.cancel("a") == 2
    for work in works:
        with pytest.raises(RequestCanceledError):
            await work


async def test_other_tasks_go_on() -> None:
    running = RunningRequests()
    canceled = await start(running, "a")
    other = await start(running, "b")
    running.cancel("a")
    await asyncio.sleep(0)
    assert running.count("b") == 1
    with pytest.raises(RequestCanceledError):
        await canceled
    other.cancel()


async def test_nothing_is_kept_of_requests_that_have_ended() -> None:
    running = RunningRequests()
    with running.track("a"):
        assert running.count("a") == 1
    assert running.count("a") == 0
    assert running.cancel("a") == 0


async def test_a_request_is_canceled_once() -> None:
    running = RunningRequests()
    work = await start(running, "a")
    assert (running.cancel("a"), running.cancel("a")) == (1, 0)
    with pytest.raises(RequestCanceledError):
        await work


async def test_a_request_that_comes_after_the_cancel_is_not_begun() -> None:
    running = RunningRequests()
    running.cancel("a")
    with pytest.raises(RequestCanceledError), running.track("a"):
        pytest.fail("it was begun")
    with running.track("b"):
        assert running.count("b") == 1


async def test_a_cancellation_from_outside_stays_one() -> None:
    running = RunningRequests()
    work = await start(running, "a")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_a_cancellation_from_outside_wins_over_that_of_the_task() -> None:
    running = RunningRequests()
    work = await start(running, "a")
    running.cancel("a")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_the_asyncio_task_is_usable_after_its_request_was_canceled() -> None:
    running = RunningRequests()

    async def work() -> str:
        with pytest.raises(RequestCanceledError):
            await wait_for_ever(running, "a")
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return "went on"

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    running.cancel("a")
    assert await working == "went on"


async def test_a_time_limit_around_the_request_still_holds() -> None:
    running = RunningRequests()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wait_for_ever(running, "a")


def test_the_task_is_what_stands_before_the_first_colon() -> None:
    assert task_id_of("6f1c:3:halves") == "6f1c"
    assert task_id_of("alone") == "alone"
