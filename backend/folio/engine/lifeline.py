"""Waits that end with what they wait for, whatever it has left undone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Lifeline:
    """Held on to while one waits for something that may end without a word."""

    def __init__(self) -> None:
        self._waits: set[asyncio.Timeout] = set()
        self._is_cut = False

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait inside. Raises TimeoutError when the lifeline is cut, or was."""
        async with asyncio.timeout(0 if self._is_cut else None) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)

    def cut(self) -> None:
        """End all waiting, now and from now on."""
        self._is_cut = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)
        self._waits.clear()
