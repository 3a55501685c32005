"""The queue's waits, which must end when the process does."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from folio.config import Settings
from folio.jobs.celery_app import make_celery
from folio.jobs.celery_queue import CeleryQueue


class AnsweredQueue(CeleryQueue):
    """The broker's answer comes when the test says so."""

    answer: asyncio.Future[Any]

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        return await self.answer


@pytest.fixture
def queue() -> Iterator[AnsweredQueue]:
    queue = AnsweredQueue(make_celery(Settings()))
    yield queue
    queue.close()


async def test_a_cancellation_beside_the_answer_is_not_lost(queue: AnsweredQueue) -> None:
    queue.answer = asyncio.get_running_loop().create_future()
    counting = asyncio.create_task(queue.num_waiting())
    await asyncio.sleep(0)

    queue.answer.set_result(3)
    counting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await counting


async def test_a_broker_that_is_down_counts_nothing(queue: AnsweredQueue) -> None:
    queue.answer = asyncio.get_running_loop().create_future()
    queue.answer.set_exception(ConnectionRefusedError())

    assert await queue.num_waiting() is None
