"""`folio worker`: Celery's processes, each with a Worker on an event loop of its own.

Celery ends a process when its message is done, and a message is done when its pages are nearly
rendered: with a slow engine, minutes after SIGTERM. So the processes are told by a signal of ours.
"""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from billiard.process import current_process
from celery import Celery, signals

from folio.config import Settings
from folio.db import Database
from folio.documents.heap import keep_freed_memory, share_heap_among_threads
from folio.engine.remote import RemoteEngine
from folio.errors import InvalidInputError
from folio.jobs.background import Background
from folio.jobs.celery_app import make_celery
from folio.jobs.celery_queue import CeleryQueue
from folio.jobs.owner import make_owner
from folio.jobs.parts import JobParts
from folio.jobs.readiness import JobReadiness
from folio.jobs.reaper import make_reaper
from folio.jobs.tasks import register_tasks
from folio.jobs.worker import Worker
from folio.jobs.worker_http import ask_on, serve_worker
from folio.storage import LocalStorage

log = logging.getLogger(__name__)

_MAX_HEAPS = 2
_NICENESS = 5  # a service on the same machine has somebody who waits for its answer
_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_STARTS = "The worker is starting."
_STOP_SIGNAL = signal.SIGUSR2  # Celery's processes have uses of their own for the others

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Running:
    worker: Worker
    readiness: JobReadiness


class WorkerProcess:
    """What one of Celery's processes holds. Connections are made in it, not before the fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: AbstractAsyncContextManager[_Running] | None = None
        self._running: _Running | None = None

    def start(self, **_: Any) -> None:
        """Start the loop in a thread, and the worker on it."""
        os.nice(_NICENESS)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="folio-worker", daemon=True).start()
        self._serve(self._settings.worker.worker_metrics_port)
        self._life = running_worker(self._settings)
        self._running = self._call(self._life.__aenter__(), timeout=_START_SECONDS)
        signal.signal(_STOP_SIGNAL, self._let_go)
        log.info("A worker process is ready for documents")

    def advance(self, task_id: UUID) -> None:
        assert self._running is not None, "Celery starts a process before it gives it tasks"
        self._call(self._running.worker.advance(task_id))

    def stop(self, **_: Any) -> None:
        """Give back what runs, and close everything."""
        if self._life is not None:
            self._call(self._life.__aexit__(None, None, None), timeout=_STOP_SECONDS)

    def _let_go(self, *_: Any) -> None:
        assert self._loop is not None, "start() comes first"
        assert self._running is not None, "start() comes first"
        self._loop.call_soon_threadsafe(self._running.worker.let_go)

    def _serve(self, first_port: int | None) -> None:
        """On a port for each process: what they count together, Prometheus can add up, but not what
        each of them takes of memory and time."""
        if first_port is not None:
            serve_worker(first_port + int(current_process().index), self._find_problem)

    def _find_problem(self) -> str | None:
        if self._loop is None or self._running is None:
            return _STARTS
        return ask_on(self._loop, self._running.readiness.find_trouble)

    def _call(self, work: Coroutine[Any, Any, Answer], timeout: float | None = None) -> Answer:
        assert self._loop is not None, "start() comes first"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[_Running]:
    """A worker with a database, a remote engine and a reaper of its own."""
    queue = CeleryQueue(make_celery(settings))
    engine = _make_engine(settings)
    background = Background()
    async with Database(settings.database_url) as database:
        storage = LocalStorage(settings.storage_dir)
        readiness = JobReadiness(JobParts(database, storage, queue))
        worker = Worker(
            settings,
            owner=make_owner(),
            database=database,
            storage=storage,
            engine=engine,
            queue=queue,
        )
        try:
            await engine.start()
            await worker.start()
            background.start(make_reaper(settings.jobs, database, queue).run(), name="Reaper")
            yield _Running(worker, readiness)
        finally:
            await readiness.close()
            await background.cancel()
            await worker.stop()
            await engine.stop()
            queue.close()


def run_worker(settings: Settings, num_processes: int) -> int:
    """Run until SIGTERM or SIGINT. Gives the exit status."""
    share_heap_among_threads(max_heaps=_MAX_HEAPS)
    keep_freed_memory()
    process = WorkerProcess(settings)
    celery = make_celery(settings)
    register_tasks(celery, process.advance)
    signals.setup_logging.connect(_leave_logging_alone)
    signals.worker_process_init.connect(process.start)
    signals.worker_process_shutdown.connect(process.stop)
    worker = _make_celery_worker(celery, num_processes)

    def tell_processes(**_: Any) -> None:
        for process_id in worker.pool.info["processes"]:
            with suppress(ProcessLookupError):
                os.kill(process_id, _STOP_SIGNAL)

    signals.worker_shutting_down.connect(tell_processes)
    # The processes share what was imported until the garbage collector writes its marks into it:
    # 18 MB for each of them.
    gc.freeze()
    worker.start()
    return int(worker.exitcode or 0)


def _make_celery_worker(celery: Celery, num_processes: int) -> Any:
    return celery.Worker(
        pool="prefork",
        concurrency=num_processes,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )


def _make_engine(settings: Settings) -> RemoteEngine:
    """Raises InvalidInputError, naming the setting that is missing."""
    urls = [url.strip() for url in (settings.worker.worker_remote_infer_url or "").split(",")]
    urls = [url for url in urls if url]
    token = settings.server.internal_api_token
    if not urls:
        raise InvalidInputError(
            "A worker needs an engine: set WORKER_REMOTE_INFER_URL to the service's address."
        )
    if token is None or not token.get_secret_value():
        raise InvalidInputError("A worker needs INTERNAL_API_TOKEN, the same as the service's.")
    return RemoteEngine(
        urls, token.get_secret_value(), wait_seconds=settings.worker.worker_engine_wait_seconds
    )


def check_worker_settings(settings: Settings) -> None:
    """Raises InvalidInputError where `folio worker` could do nothing with these settings."""
    if settings.jobs.celery_broker_url is None:
        raise InvalidInputError(
            "A worker needs a queue: set CELERY_BROKER_URL. Without it, `folio serve` does the "
            "work itself."
        )
    _make_engine(settings)


def _leave_logging_alone(**_: Any) -> None:
    """Connected, it keeps Celery from setting up the log in its own way."""
