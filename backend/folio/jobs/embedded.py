"""A Celery worker inside the service, for those who run no broker: threads, and messages in memory.

Its tasks run on the service's own event loop, engine and database. The messages die with the
process; the start of the next one takes up every unfinished task.
"""

import asyncio
import threading
from typing import Any
from uuid import UUID

from celery import Celery
from celery.worker import WorkController
from celery.worker import state as celery_state

from folio.documents.heap import keep_freed_memory
from folio.jobs.celery_app import QUEUE
from folio.jobs.tasks import register_tasks
from folio.jobs.worker import Worker

_WAKE = "folio.wake"
_NUM_THREADS = 4  # documents that can be opened while others are read
_STOP_SECONDS = 5.0


class EmbeddedWorker:
    """Runs Celery's loop in a thread. start() and stop() are called on the service's loop."""

    def __init__(self, celery: Celery, worker: Worker) -> None:
        self._celery = celery
        self._worker = worker
        self._loop: asyncio.AbstractEventLoop | None = None
        self._controller: Any = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        keep_freed_memory()
        self._celery.set_default()  # Celery's threads look for tasks in the process's default app
        register_tasks(self._celery, self._advance)
        self._celery.task(name=_WAKE, shared=False)(_wake)
        celery_state.should_stop = None
        self._controller = WorkController(
            app=self._celery,
            pool_cls="threads",
            concurrency=_NUM_THREADS,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._thread = threading.Thread(
            target=self._controller.start, name="folio-celery", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Take no more messages. What the worker does is the worker's to stop.

        No-op before start().
        """
        if self._thread is None:
            return
        celery_state.should_stop = 0
        await asyncio.to_thread(self._join, self._thread)
        celery_state.should_stop = None

    def _join(self, thread: threading.Thread) -> None:
        # Celery waits for a message, or two seconds, before it looks at its flag, and once more
        # before it goes.
        for _ in range(2):
            self._celery.send_task(_WAKE, queue=QUEUE)
        thread.join(_STOP_SECONDS)

    def _advance(self, task_id: UUID) -> None:
        assert self._loop is not None, "start() comes first"
        asyncio.run_coroutine_threadsafe(self._worker.advance(task_id), self._loop).result()


def _wake() -> None:
    """Nothing to do: its coming is all."""
