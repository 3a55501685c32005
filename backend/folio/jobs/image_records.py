"""Image requests, kept as tasks that have ended, with the page as their only one."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from folio.db import (
    Database,
    EndedTask,
    NewTask,
    PageOutcome,
    PageStatus,
    TaskError,
    TaskKind,
    TaskStatus,
    add_ended,
)
from folio.errors import StorageUnavailableError
from folio.jobs.background import Background
from folio.jobs.filenames import tidy_filename
from folio.jobs.results import page_outcome
from folio.pipeline.ladder import Rung
from folio.pipeline.repair import Attempt, RepairedPage
from folio.pipeline.results import PageResult

log = logging.getLogger(__name__)

_MAX_PENDING = 1024
_CLOSE_SECONDS = 5.0
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

    All that wait are stored together: under load a transaction for each took more of the process
    than receiving the pages. A record that cannot be stored, or that comes while too many wait, is
    a line in the log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._background = Background()
        self._waiting: dict[UUID, ImageRecord] = {}
        self._pending: dict[UUID, asyncio.Event] = {}
        self._work: asyncio.Task[None] | None = None

    def record(self, record: ImageRecord) -> None:
        """Begin to store it."""
        if len(self._pending) >= _MAX_PENDING:
            log.warning("Image request %s is not recorded: too many wait", record.task_id)
            return
        self._waiting[record.task_id] = record
        self._pending[record.task_id] = asyncio.Event()
        if self._work is None or self._work.done():
            self._work = self._background.start(self._store_all(), name="Records of images")

    async def _store_all(self) -> None:
        while self._waiting:
            records, self._waiting = list(self._waiting.values()), {}
            try:
                await self._store(records)
            finally:
                for record in records:
                    self._pending.pop(record.task_id).set()

    async def _store(self, records: Sequence[ImageRecord]) -> None:
        try:
            await store_image_records(self._database, records)
        except StorageUnavailableError as error:
            log.warning("%d image requests are not recorded: %s", len(records), error.message)
        except Exception:
            # One of them, by a fault of ours: the others are not to go with it.
            if len(records) == 1:
                log.exception("Image request %s is not recorded", records[0].task_id)
                return
            for record in records:
                await self._store([record])

    async def wait_for(self, task_id: UUID) -> None:
        """Until the record is stored, if it is on its way: who got its id may look it up."""
        stored = self._pending.get(task_id)
        if stored is not None:
            await stored.wait()

    async def wait_for_all(self) -> None:
        """Until those are stored that are on their way now."""
        for stored in list(self._pending.values()):
            await stored.wait()

    async def close(self) -> None:
        """Store what is on its way, within a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.wait_for_all()
        await self._background.cancel()


async def store_image_records(database: Database, records: Sequence[ImageRecord]) -> None:
    """In one transaction: no worker ever sees one of the tasks unfinished. Raises
    StorageUnavailableError."""
    async with database.transaction() as session:
        await add_ended(session, [_ended(record) for record in records])


def _ended(record: ImageRecord) -> EndedTask:
    new = NewTask(
        record.task_id,
        TaskKind.IMAGE,
        tidy_filename(record.filename),
        record.options,
        record.queued_at,
    )
    return EndedTask(
        new, record.status, record.started_at, record.finished_at, record.page, record.error
    )
