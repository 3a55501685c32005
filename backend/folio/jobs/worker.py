"""One worker process: takes tasks on from where they stand, on one event loop.

It knows neither Celery's processes nor who made its engine and its database.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from folio.config import Settings
from folio.db import Database, PageRepository, TaskRepository, TaskRow, read_clock
from folio.db.records import UNFINISHED
from folio.engine import OcrEngine
from folio.errors import StorageUnavailableError
from folio.jobs.background import Background
from folio.jobs.finishing import Finishing
from folio.jobs.keys import task_folder
from folio.jobs.leases import Leases, Work
from folio.jobs.opening import Opening
from folio.jobs.options import DocumentOptions
from folio.jobs.page_work import PageWork
from folio.jobs.queue import JobQueue
from folio.jobs.reading import PageReader
from folio.jobs.renderers import Renderers
from folio.jobs.window import Window
from folio.storage import Storage
from folio.telemetry.context import working_on
from folio.telemetry.tracing import span

log = logging.getLogger(__name__)

_BYTES_PER_PLACE = 8 * 1024 * 1024  # an A4 page at 144 dpi has 6 MB
WORKERS_DIED = "workers_died"
EXHAUSTED = "Every worker that took this page up has died or timed out."


class Worker:
    """See the module. Database and engine are the caller's to close, after stop()."""

    def __init__(
        self,
        settings: Settings,
        *,
        owner: str,
        database: Database,
        storage: Storage,
        engine: OcrEngine,
        queue: JobQueue,
    ) -> None:
        jobs = settings.jobs
        self._jobs = jobs
        self._database = database
        self._storage = storage
        self._queue = queue
        self._background = Background()
        self._left_alone_until: dict[UUID, float] = {}
        self._coming_back: set[UUID] = set()
        self._is_stopping = False
        self._advances: set[asyncio.Task[None]] = set()
        self._renderers = Renderers(jobs)
        self._leases = Leases(
            database, owner, lease_seconds=jobs.lease_seconds, on_unwanted=self._clean_up
        )
        self._opening = Opening(database, storage, self._renderers, max_pages=jobs.max_pages)
        self._finishing = Finishing(database, storage, retry_seconds=jobs.results_retry_seconds)
        self._reader = PageReader(
            database,
            storage,
            renderers=self._renderers,
            leases=self._leases,
            window=Window(
                max_pages=jobs.max_pages_in_flight,
                max_bytes=jobs.max_pages_in_flight * _BYTES_PER_PLACE,
            ),
            page_work=PageWork(
                database, storage, engine, self._leases, max_crops=settings.engine.max_crops
            ),
            pages_per_range=jobs.pages_per_range,
            max_page_claims=jobs.max_page_claims,
            on_read=self._finish_soon,
            on_trouble=self._leave_alone,
        )

    async def start(self) -> None:
        """Begin the heartbeat, and warm up."""
        self._background.start(self._leases.keep(), name="Heartbeat")
        self._background.start(self._renderers.start(), name="Renderers")

    async def advance(self, task_id: UUID) -> None:
        """Do what is next for the task: open it, read a range of its pages, or end it.

        Returns when the worker has room for more. Raises nothing: what goes wrong is logged, and
        the reaper comes back to the task.
        """
        if self._is_stopping:
            return
        work = self._background.start(self._advance(task_id), name=f"Task {task_id}")
        self._advances.add(work)
        work.add_done_callback(self._advances.discard)
        await asyncio.wait([work])
        if self._is_stopping:  # it was cut short, and its message is spent
            await self._queue.enqueue(task_id)

    async def _advance(self, task_id: UUID) -> None:
        with working_on(task_id=str(task_id)):
            task = await self._get_unfinished(task_id)
            if task is None or self._is_left_alone(task_id):
                return
            # By the row and not by the message: the reaper sends messages too.
            with span("advance document", parent=task.trace, task_id=str(task_id)):
                await self._take_on(task)

    async def _take_on(self, task: TaskRow) -> None:
        task_id = task.id
        if task.num_pages is None:
            await self._leases.drive(task_id, self._opening.open)
            opened = await self._get_unfinished(task_id)
            if opened is None or opened.num_pages is None:
                return
        options = DocumentOptions.from_json(task.options)
        if not await self._reader.read_range(
            task_id, options, on_claim=lambda: self._enqueue_soon(task_id)
        ):
            await self._give_up_exhausted(task_id)
            await self._finish(task_id)
            self._come_back(task_id)

    def let_go(self) -> None:
        """Take nothing more on, and end each advance(): stop() is near."""
        self._is_stopping = True
        for work in self._advances:
            work.cancel()

    async def stop(self) -> None:
        """Give back what is in flight, untouched: another worker, or the next start, goes on."""
        self.let_go()
        unfinished = self._leases.task_ids()
        try:
            await self._background.cancel()
            await self._reader.close()
        finally:
            await self._renderers.close()
        try:
            await self._leases.release_all()
        except StorageUnavailableError as error:
            log.warning("Leases were left to expire: %s", error.message)
        for task_id in unfinished:  # now, and not when the reaper comes
            await self._queue.enqueue(task_id)

    async def _get_unfinished(self, task_id: UUID) -> TaskRow | None:
        async with self._database.reading() as session:
            task = await TaskRepository(session).get(task_id)
        return task if task is not None and task.status in UNFINISHED else None

    async def _give_up_exhausted(self, task_id: UUID) -> None:
        async with self._database.transaction() as session:
            instant = await read_clock(session)
            await PageRepository(session).fail_exhausted(
                task_id,
                now=instant,
                max_claims=self._jobs.max_page_claims,
                reason=EXHAUSTED,
                reason_code=WORKERS_DIED,
            )

    async def _finish(self, task_id: UUID) -> None:
        async with self._database.reading() as session:
            is_read = await TaskRepository(session).is_read(task_id)
        if is_read:
            await self._leases.drive(task_id, self._finishing.finish)

    def _finish_soon(self, task_id: UUID) -> None:
        self._background.start(self._finish(task_id), name=f"Task {task_id}, results")

    def _enqueue_soon(self, task_id: UUID) -> None:
        self._background.start(self._queue.enqueue(task_id), name=f"Task {task_id}, next range")

    def _come_back(self, task_id: UUID) -> None:
        """Its message is spent, and others hold its last pages. Should they be dead, the reaper
        would notice, but not before a long queue has become short."""
        if task_id not in self._coming_back:
            self._coming_back.add(task_id)
            self._background.start(self._enqueue_later(task_id), name=f"Task {task_id}, again")

    async def _enqueue_later(self, task_id: UUID) -> None:
        try:
            await asyncio.sleep(self._jobs.lease_seconds)
        finally:
            self._coming_back.discard(task_id)
        if await self._get_unfinished(task_id) is not None:
            await self._queue.enqueue(task_id)

    def _leave_alone(self, task_id: UUID) -> None:
        """What has gone wrong would go wrong again at once. The reaper comes back to it."""
        instant = time.monotonic()
        others = {each: until for each, until in self._left_alone_until.items() if until > instant}
        until = instant + self._jobs.reaper_interval_seconds
        self._left_alone_until = others | {task_id: until}

    def _is_left_alone(self, task_id: UUID) -> bool:
        return time.monotonic() < self._left_alone_until.get(task_id, 0.0)

    def _clean_up(self, task_id: UUID, works: Sequence[Work]) -> None:
        self._background.start(
            self._delete_leftovers(task_id, works), name=f"Task {task_id}, leftovers"
        )

    async def _delete_leftovers(self, task_id: UUID, works: Sequence[Work]) -> None:
        """Files that were written while the task was deleted."""
        await asyncio.gather(*works, return_exceptions=True)
        async with self._database.reading() as session:
            is_deleted = await TaskRepository(session).get(task_id) is None
        if is_deleted:
            await self._storage.delete_folder(task_folder(task_id))
