"""Finds the tasks that nobody works on, and has the queue take them again.

It runs in every process that has to do with tasks. Whatever was lost, the queue's messages, a
worker, the time in which the database was away, ends with a task here.
"""

import asyncio
import logging
from datetime import timedelta

from folio.config import JobSettings
from folio.db import Database, TaskRepository, read_clock
from folio.errors import StorageUnavailableError
from folio.jobs.celery_queue import CeleryQueue

log = logging.getLogger(__name__)

# A queue that holds so many messages is not empty because it lost them: what waits, waits its
# turn. Without this bound a long queue would grow by every task in it, sweep after sweep.
_MAX_WAITING = 100
_RETRY_SECONDS = 2.0


class Reaper:
    """Sweeps every `interval_seconds`. A task is stalled after `patience_seconds` in no queue."""

    def __init__(
        self,
        database: Database,
        queue: CeleryQueue,
        *,
        interval_seconds: float,
        patience_seconds: float,
    ) -> None:
        self._database = database
        self._queue = queue
        self._interval_seconds = interval_seconds
        self._patience = timedelta(seconds=patience_seconds)

    async def run(self, *, is_queue_new: bool = False) -> None:
        """Until it is cancelled. `is_queue_new`: there is no message from before this process, so
        begin with all tasks that were enqueued then."""
        if is_queue_new:
            await self._sweep_older_than_queue()
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self._try_sweep(patience=self._patience)

    async def _sweep_older_than_queue(self) -> None:
        """Try until the database lets it."""
        while True:
            if await self._try_sweep(patience=None):
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _try_sweep(self, *, patience: timedelta | None) -> bool:
        try:
            await self.sweep(patience=patience)
        except StorageUnavailableError as error:
            log.warning("Stalled tasks could not be looked for: %s", error.message)
            return False
        return True

    async def sweep(self, *, patience: timedelta | None) -> None:
        """Enqueue tasks that no queue took for so long; None: since before this queue was made.

        Raises StorageUnavailableError.
        """
        num_waiting = await self._queue.num_waiting()
        if num_waiting is None or num_waiting >= _MAX_WAITING:
            return
        async with self._database.transaction() as session:
            instant = await read_clock(session)
            stalled = await TaskRepository(session).take_stalled(
                now=instant,
                # The queue's age only now: it must not be less than it is at that instant.
                enqueued_before=instant - (self._queue.age if patience is None else patience),
                limit=_MAX_WAITING - num_waiting,
            )
        for task_id in stalled:
            log.info("Task %s is taken up again", task_id)
            await self._queue.enqueue(task_id)


def make_reaper(settings: JobSettings, database: Database, queue: CeleryQueue) -> Reaper:
    return Reaper(
        database,
        queue,
        interval_seconds=settings.reaper_interval_seconds,
        patience_seconds=settings.lease_seconds,
    )
