"""Ends a task whose every page has its outcome: results, and the last status."""

import logging
from datetime import timedelta
from uuid import UUID

from folio.db import Database, PageRepository, TaskError, TaskRepository, TaskRow, TaskStatus
from folio.errors import FolioError
from folio.jobs.clock import now
from folio.jobs.keys import task_folder
from folio.jobs.results import write_results
from folio.storage import Storage
from folio.telemetry.metrics import TASKS

log = logging.getLogger(__name__)

ALL_PAGES_FAILED = "all_pages_failed"


class Finishing:
    """Writes a task's results. What cannot be written is tried again, for `retry_seconds`."""

    def __init__(self, database: Database, storage: Storage, *, retry_seconds: float) -> None:
        self._database = database
        self._storage = storage
        self._retry_for = timedelta(seconds=retry_seconds)
        TASKS.labels(TaskStatus.FAILED, ALL_PAGES_FAILED)  # there before it happens

    async def finish(self, task_id: UUID) -> None:
        """Call it as the task's driver. Raises what went wrong where a retry is due."""
        async with self._database.reading() as session:
            tasks = TaskRepository(session)
            task = await tasks.get(task_id) if await tasks.is_read(task_id) else None
        if task is None:
            return
        if task.pages_failed == task.num_pages:
            await self._end(task, TaskStatus.FAILED, await self._first_reason(task_id))
            return
        try:
            await write_results(self._database, self._storage, task_id)
        except Exception as error:  # a full disk, or a bug: neither may keep a task for ever
            if await self._may_be_retried(task_id):
                raise
            log.error("Task %s has no results", task_id, exc_info=error)
            await self._end(task, TaskStatus.FAILED, _explain(error))
        else:
            await self._end(task, TaskStatus.SUCCEEDED, None)

    async def _end(self, task: TaskRow, status: TaskStatus, error: TaskError | None) -> None:
        async with self._database.transaction() as session:
            tasks = TaskRepository(session)
            await tasks.finish(task.id, status, now=now(), error=error)
            is_deleted = await tasks.get(task.id) is None
        TASKS.labels(status, error.code if error else "").inc()
        log.info("Task %s: %s, %s pages", task.id, status, task.num_pages)
        if is_deleted:  # while its results were written
            await self._storage.delete_folder(task_folder(task.id))

    async def _first_reason(self, task_id: UUID) -> TaskError:
        async with self._database.reading() as session:
            page = await PageRepository(session).first_failure(task_id)
        assert page is not None, "every page has failed"
        reason = page.reason or "No page could be read."
        return TaskError(ALL_PAGES_FAILED, reason, page.page_number)

    async def _may_be_retried(self, task_id: UUID) -> bool:
        async with self._database.reading() as session:
            read_at = await PageRepository(session).last_finished_at(task_id)
        return read_at is not None and now() - read_at < self._retry_for


def _explain(error: Exception) -> TaskError:
    if isinstance(error, FolioError):
        code, why = error.code, error.message
    else:
        code, why = FolioError.code, f"Folio has failed on them ({type(error).__name__})."
    return TaskError(code, f"Every page was read, but the results cannot be stored. {why}")
