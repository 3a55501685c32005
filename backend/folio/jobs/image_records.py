"""Image requests, kept as tasks that have ended, with the page as their only one."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from folio.db import (
    Database,
    NewTask,
    PageOutcome,
    PageRepository,
    PageStatus,
    TaskError,
    TaskKind,
    TaskRepository,
    TaskStatus,
)
from folio.jobs.background import Background
from folio.jobs.clock import now
from folio.jobs.filenames import tidy_filename
from folio.jobs.results import page_outcome
from folio.pipeline.ladder import Rung
from folio.pipeline.repair import Attempt, RepairedPage
from folio.pipeline.results import PageResult

log = logging.getLogger(__name__)

_MAX_PENDING = 256
_CLOSE_SECONDS = 5.0
_OWNER = "image request"
_CUT = {
    "length": "The answer came to its greatest length; its end may be missing.",
    "repetition": "The model began to repeat itself; text after that may be missing.",
}


@dataclass(frozen=True)
class ImageRecord:
    """How an image request ended. `page` where it was read, `error` where it failed.

    `started_at` is None for a request that ended before the work on it began.
    """

    task_id: UUID
    filename: str | None
    options: dict[str, Any]
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime
    status: TaskStatus
    page: PageOutcome | None = None
    error: TaskError | None = None


def image_outcome(page: PageResult, *, started_at: datetime, finished_at: datetime) -> PageOutcome:
    """The one page of an image that was read. Its figures are not kept, so nothing links to any."""
    attempt = Attempt(
        Rung.ASKED, page.mode, page.finish_reason, page.raw_text, page.usage, is_kept=True
    )
    is_whole = page.finish_reason == "stop"
    read = RepairedPage(
        PageStatus.OK if is_whole else PageStatus.TRUNCATED,
        None if is_whole else _CUT[page.finish_reason],
        page,
        (attempt,),
        None if is_whole else page.finish_reason,
    )
    return page_outcome(read, figure_links={}, started_at=started_at, finished_at=finished_at)


class ImageRecorder:
    """Records beside the requests, which wait for nothing and never fail by it.

    A record that cannot be stored, or that comes while too many wait, is a line in the log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._background = Background()
        self._pending: dict[UUID, asyncio.Task[None]] = {}

    def record(self, record: ImageRecord) -> None:
        """Begin to store it."""
        if len(self._pending) >= _MAX_PENDING:
            log.warning("Image request %s is not recorded: too many wait", record.task_id)
            return
        work = self._background.start(
            store_image_record(self._database, record), name=f"Record of image {record.task_id}"
        )
        self._pending[record.task_id] = work
        work.add_done_callback(lambda _: self._pending.pop(record.task_id, None))

    async def wait_for(self, task_id: UUID) -> None:
        """Until the record is stored, if it is on its way: who got its id may look it up."""
        work = self._pending.get(task_id)
        if work is not None:
            await asyncio.wait([work])

    async def wait_for_all(self) -> None:
        """Until those are stored that are on their way now."""
        if self._pending:
            await asyncio.wait(list(self._pending.values()))

    async def close(self) -> None:
        """Store what is on its way, within a few seconds."""
        if self._pending:
            await asyncio.wait(self._pending.values(), timeout=_CLOSE_SECONDS)
        await self._background.cancel()


async def store_image_record(database: Database, record: ImageRecord) -> None:
    """In one transaction: no worker ever sees the task unfinished. Raises
    StorageUnavailableError."""
    new = NewTask(
        record.task_id,
        TaskKind.IMAGE,
        tidy_filename(record.filename),
        record.options,
        record.queued_at,
    )
    async with database.transaction() as session:
        tasks, pages = TaskRepository(session), PageRepository(session)
        tasks.add(new)
        await session.flush()
        if record.started_at is not None:
            await tasks.start(record.task_id, now=record.started_at)
        await pages.add(record.task_id, [1])
        if record.page is not None:
            await _finish_page(pages, record.task_id, record.page)
        await tasks.finish(
            record.task_id, record.status, now=record.finished_at, error=record.error
        )


async def _finish_page(pages: PageRepository, task_id: UUID, outcome: PageOutcome) -> None:
    (claim,) = await pages.claim(
        task_id, _OWNER, now=now(), expires_at=now(), max_claims=1, limit=1
    )
    await pages.finish(claim, outcome)
