"""Opens a task's document and lays down its pages, once."""

import logging
from uuid import UUID

from folio.db import Database, PageRepository, TaskError, TaskRepository, TaskStatus
from folio.documents import parse_page_ranges, select_pages
from folio.errors import FolioError
from folio.jobs.clock import now
from folio.jobs.keys import upload_key
from folio.jobs.options import DocumentOptions
from folio.jobs.renderers import Renderers, Source
from folio.storage import Storage
from folio.telemetry.metrics import TASKS

log = logging.getLogger(__name__)


class Opening:
    """A queued task becomes a running one, or one that has failed for a reason of the user's."""

    def __init__(
        self, database: Database, storage: Storage, renderers: Renderers, *, max_pages: int
    ) -> None:
        self._database = database
        self._storage = storage
        self._renderers = renderers
        self._max_pages = max_pages

    async def open(self, task_id: UUID) -> None:
        """Call it as the task's driver. Raises StorageUnavailableError."""
        async with self._database.reading() as session:
            task = await TaskRepository(session).get(task_id)
        if task is None or task.num_pages is not None:
            return
        try:
            page_numbers = await self._select_pages(
                task_id, DocumentOptions.from_json(task.options)
            )
        except FolioError as error:
            if error.retryable:
                raise
            await self._fail(task_id, error)
            return
        except Exception as error:  # a bug of ours costs a task: it would meet it again
            log.exception("Task %s does not open", task_id)
            what = f"Folio has failed on this document ({type(error).__name__})."
            await self._fail(task_id, FolioError(what))
            return
        async with self._database.transaction() as session:
            if await TaskRepository(session).start(task_id, now=now()):
                await PageRepository(session).add(task_id, page_numbers)

    async def _select_pages(self, task_id: UUID, options: DocumentOptions) -> tuple[int, ...]:
        async with self._storage.open_local(upload_key(task_id)) as path:
            num_pages = await self._renderers.count_pages(Source.of(path, options))
        ranges = None if options.pages is None else parse_page_ranges(options.pages)
        return select_pages(ranges, num_pages, max_pages=self._max_pages)

    async def _fail(self, task_id: UUID, error: FolioError) -> None:
        TASKS.labels(TaskStatus.FAILED, error.code).inc()
        log.info("Task %s has failed: %s", task_id, error.message)
        async with self._database.transaction() as session:
            await TaskRepository(session).finish(
                task_id,
                TaskStatus.FAILED,
                now=now(),
                error=TaskError(error.code, error.message, values=error.values),
            )
