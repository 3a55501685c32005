"""How many rendered pages one worker process may hold at once."""

import asyncio


class Window:
    """Places for pages between rendering and their end, counted and weighed.

    A page that is heavier than all the room left waits for the others to end; alone, it passes.
    """

    def __init__(self, *, max_pages: int, max_bytes: int) -> None:
        self._places = asyncio.Semaphore(max_pages)
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._left = asyncio.Event()

    async def enter(self) -> None:
        """Take a place, before the page is rendered."""
        await self._places.acquire()

    async def weigh(self, num_bytes: int) -> None:
        """Wait until the page fits with those that are there. It keeps its place meanwhile."""
        while self._num_bytes and self._num_bytes + num_bytes > self._max_bytes:
            self._left.clear()
            await self._left.wait()
        self._num_bytes += num_bytes

    def leave(self, num_bytes: int) -> None:
        """Give back the place of a page of this weight: 0 where it was not weighed."""
        self._num_bytes -= num_bytes
        self._places.release()
        self._left.set()
