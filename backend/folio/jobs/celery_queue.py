"""Hands tasks to Celery's workers without making an event loop wait for the broker."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from folio.jobs.celery_app import ADVANCE, QUEUE

log = logging.getLogger(__name__)

BROKER_ERRORS = (KombuError, RedisError, OSError)
_PING_SECONDS = 3.0

Answer = TypeVar("Answer")


class CeleryQueue:
    """See JobQueue. A broker that is down costs a log line here, and time in the reaper."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._made_at = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "folio-publish")

    @property
    def age(self) -> timedelta:
        """Since this process has it."""
        return timedelta(seconds=time.monotonic() - self._made_at)

    async def enqueue(self, task_id: UUID) -> None:
        try:
            await self._in_thread(lambda: self._publish(task_id))
        except BROKER_ERRORS as error:
            log.warning("Task %s waits for the reaper: the broker is down (%s)", task_id, error)

    async def ping(self) -> bool:
        return await self.num_waiting() is not None

    async def num_waiting(self) -> int | None:
        """Messages that no worker has taken yet; None where the broker does not answer."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                return await self._in_thread(self._count)
        except (*BROKER_ERRORS, TimeoutError):
            return None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._celery.close()

    def _publish(self, task_id: UUID) -> None:
        self._celery.send_task(ADVANCE, args=[str(task_id)], queue=QUEUE)

    def _count(self) -> int:
        with self._celery.pool.acquire(block=True, timeout=_PING_SECONDS) as connection:
            queue = self._celery.amqp.queues[QUEUE].bind(connection.default_channel)
            return int(queue.queue_declare(passive=False).message_count)

    async def _in_thread(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
