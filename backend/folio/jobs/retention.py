"""Deletes tasks with their files when their time to be kept is over."""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from folio.db import Database, TaskRepository
from folio.errors import StorageUnavailableError
from folio.jobs.clock import now
from folio.jobs.keys import task_folder
from folio.storage import LocalStorage

log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 600.0
_MAX_SCRATCH_SECONDS = 24 * 3600.0
_TASKS_AT_ONCE = 100


class Retention:
    """`hours` after its end a task is deleted; 0 keeps it for ever."""

    def __init__(self, database: Database, storage: LocalStorage, *, hours: float) -> None:
        self._database = database
        self._storage = storage
        self._kept_for = timedelta(hours=hours)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.clean()
            except StorageUnavailableError as error:
                log.warning("Old tasks could not be deleted: %s", error.message)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def clean(self) -> int:
        """Delete what is too old now. Gives the number of tasks."""
        await self._storage.delete_scratch(older_than_seconds=_MAX_SCRATCH_SECONDS)
        num_deleted = 0
        while self._kept_for and (num_now := await self._delete_some()):
            num_deleted += num_now
        return num_deleted

    async def _delete_some(self) -> int:
        """One that cannot be deleted keeps none of the others."""
        async with self._database.reading() as session:
            old = await TaskRepository(session).list_finished_before(
                now() - self._kept_for, limit=_TASKS_AT_ONCE
            )
        num_deleted = 0
        for task_id in old:
            try:
                await self._delete(task_id)
            except StorageUnavailableError as error:
                log.warning("Task %s could not be deleted: %s", task_id, error.message)
            else:
                num_deleted += 1
        return num_deleted

    async def _delete(self, task_id: UUID) -> None:
        # Files first: a row that is left over leads to them.
        await self._storage.delete_folder(task_folder(task_id))
        async with self._database.transaction() as session:
            await TaskRepository(session).delete(task_id)
        log.info("Task %s was deleted: its time to be kept is over", task_id)
