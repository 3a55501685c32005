"""Stops work that nobody waits for any more."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request

Result = TypeVar("Result")


class ClientDisconnectedError(Exception):
    """The client went away before its answer was ready."""


async def run_while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await the work, but cancel it when the client goes away. The body must have been read.

    Raises ClientDisconnectedError, and whatever the work raises.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_wait_for_disconnect(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnectedError
        return await working
    finally:
        await _cancel(watching)
        await _cancel(working)


async def _cancel(task: asyncio.Task[Any]) -> None:
    """End a task that may still run, and wait until it has ended."""
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
