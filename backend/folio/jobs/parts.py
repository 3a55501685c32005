"""What the service's process keeps of this room: database, storage, queue, and who looks after
them. Without a broker the worker is among it."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from celery import Celery

from folio.config import Settings
from folio.db import Database, LeaseRepository
from folio.db.migrate import find_schema_problem, migrate
from folio.engine import OcrEngine
from folio.engine.patient import PatientEngine
from folio.errors import StorageUnavailableError
from folio.jobs.background import Background
from folio.jobs.celery_app import make_celery
from folio.jobs.celery_queue import CeleryQueue
from folio.jobs.embedded import EmbeddedWorker
from folio.jobs.owner import FolderLock
from folio.jobs.reaper import make_reaper
from folio.jobs.retention import Retention
from folio.jobs.worker import Worker
from folio.storage import LocalStorage

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0
# When a thread lets another one go on: with Python's own 5 ms, and six threads that work on pages,
# an answer of the API waits for 30.
_SWITCH_INTERVAL_SECONDS = 0.001


@dataclass
class JobParts:
    """`database_problem`: why tasks cannot be worked on now, in words for the operator."""

    database: Database
    storage: LocalStorage
    queue: CeleryQueue
    database_problem: str | None = None


@asynccontextmanager
async def running_job_parts(settings: Settings, engine: OcrEngine) -> AsyncIterator[JobParts]:
    """Everything that is needed to submit tasks and to look them up, closed at the end.

    A database that is down, or has not got its tables, does not keep the service from starting:
    `database_problem` says so until it is mended.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    celery = make_celery(settings)
    queue = CeleryQueue(celery)
    async with Database(settings.database_url) as database:
        parts = JobParts(database, LocalStorage(settings.storage_dir), queue)
        await _look_at_database(settings, parts)
        background = Background()
        background.start(_keep_working(settings, engine, celery, parts), name="Work on documents")
        try:
            yield parts
        finally:
            await background.cancel()
            queue.close()


async def _keep_working(
    settings: Settings, engine: OcrEngine, celery: Celery, parts: JobParts
) -> None:
    """From when the database is there. Runs until it is cancelled."""
    while True:
        while parts.database_problem is not None:
            await asyncio.sleep(_PAUSE_SECONDS)
            await _look_at_database(settings, parts)
        try:
            await _work(settings, engine, celery, parts)
        except StorageUnavailableError as error:
            log.warning("Work on documents could not begin: %s", error.message)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _work(settings: Settings, engine: OcrEngine, celery: Celery, parts: JobParts) -> None:
    """Runs until it is cancelled. Raises StorageUnavailableError before anything has started."""
    background = Background()
    reaper = make_reaper(settings.jobs, parts.database, parts.queue)
    retention = Retention(parts.database, parts.storage, hours=settings.jobs.retention_hours)
    try:
        background.start(retention.run(), name="Retention")
        if settings.jobs.celery_broker_url is not None:
            await reaper.run()
            return
        async with _running_embedded_worker(settings, engine, celery, parts):
            await reaper.run(is_queue_new=True)  # the messages died with the last process
    finally:
        await background.cancel()


@asynccontextmanager
async def _running_embedded_worker(
    settings: Settings, engine: OcrEngine, celery: Celery, parts: JobParts
) -> AsyncIterator[None]:
    with FolderLock(settings.server.data_dir) as lock:
        if lock.is_ours:
            async with parts.database.transaction() as session:
                await LeaseRepository(session).free(lock.folder_name)
        worker = Worker(
            settings,
            owner=lock.make_owner(),
            database=parts.database,
            storage=parts.storage,
            engine=PatientEngine(engine, wait_seconds=settings.worker.worker_engine_wait_seconds),
            queue=parts.queue,
        )
        embedded = EmbeddedWorker(celery, worker)
        async with AsyncExitStack() as running:
            running.push_async_callback(embedded.stop)
            running.push_async_callback(worker.stop)  # the first to stop: Celery waits for it
            await worker.start()
            await embedded.start()
            yield


async def _look_at_database(settings: Settings, parts: JobParts) -> None:
    """An embedded database gets its tables here; one of the operator's, from `folio migrate`."""
    try:
        if settings.database.database_url is None:
            await migrate(parts.database)
        problem = await find_schema_problem(parts.database)
    except StorageUnavailableError as error:
        problem = error.message
    if problem is not None and problem != parts.database_problem:
        log.error("Documents cannot be worked on: %s", problem)
    parts.database_problem = problem
