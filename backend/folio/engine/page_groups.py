"""Pages enter a busy engine in groups. Knows nothing of vLLM.

A step that takes pages in runs the decoder without CUDA graphs and holds up every page that is
being written: better one such step for eight pages than eight. What it gives: docs/performance.md.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# With fewer pages inside, one that comes alone holds up few.
BUSY_FROM = 32
# So long a page waits for others at most: little beside the seconds that it takes in a busy engine.
PATIENCE_SECONDS = 0.2


class PageGroups:
    """Lets pages in by groups of `size` once the engine is busy, else one by one."""

    def __init__(
        self, size: int, *, busy_from: int = BUSY_FROM, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._size = size
        self._busy_from = busy_from
        self._patience_seconds = patience_seconds
        self._num_inside = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._closing_time: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold a place in the engine; before that, wait for the group to be full, or for long."""
        if self._size > 1 and self._num_inside >= self._busy_from:
            await self._wait()
        self._num_inside += 1
        try:
            yield
        finally:
            self._num_inside -= 1

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        page = loop.create_future()
        self._waiting.append(page)
        if self._closing_time is None:
            self._closing_time = loop.call_later(self._patience_seconds, self._let_in)
        if len(self._waiting) >= self._size:
            self._let_in()
        try:
            await page
        finally:
            if page in self._waiting:
                self._waiting.remove(page)

    def _let_in(self) -> None:
        if self._closing_time is not None:
            self._closing_time.cancel()
            self._closing_time = None
        for page in self._waiting:
            if not page.done():
                page.set_result(None)
        self._waiting = []
