"""Work that goes on beside what started it, on the same event loop, and ends with the process."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from folio.errors import FolioError

log = logging.getLogger(__name__)


class Background:
    """Asyncio tasks that are held on to, and whose errors are logged: nobody awaits them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._end)
        return task

    async def cancel(self) -> None:
        """Stop everything, and wait for it."""
        while self._running:
            works = list(self._running)
            for work in works:
                work.cancel()
            await asyncio.wait(works)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, FolioError):
            log.warning("%s: %s", task.get_name(), error.message)
        elif error is not None:
            log.error("%s met an error of ours", task.get_name(), exc_info=error)
