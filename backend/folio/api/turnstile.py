"""Pages that come in at the same moment are received one after the other."""

import asyncio
from collections.abc import Set

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NUM_AT_ONCE = 4
# Who lets the service wait for longer steps aside: a slow line must hold nobody up.
PATIENCE_SECONDS = 0.02


class Turnstile:
    """ASGI middleware for the paths that pages are posted to.

    The event loop shares itself out evenly: of two hundred pages that come at once the first would
    be there when the last is, and the engine would idle until then.
    """

    def __init__(self, app: ASGIApp, *, paths: Set[str]) -> None:
        self._app = app
        self._paths = paths
        self._turns = asyncio.Semaphore(NUM_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") not in self._paths:
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._turns)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.step_aside()


class _Body:
    """A request's body, read in its turn until all of it is there or its sender hesitates."""

    def __init__(self, receive: Receive, turns: asyncio.Semaphore) -> None:
        self._receive = receive
        self._turns = turns
        self._has_turn = False
        self._is_through = False

    async def receive(self) -> Message:
        if self._is_through:
            return await self._receive()
        if not self._has_turn:
            await self._turns.acquire()
            self._has_turn = True
        message = await self._receive_soon()
        if not message.get("more_body"):
            self.step_aside()
        return message

    async def _receive_soon(self) -> Message:
        hesitating = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.step_aside)
        try:
            return await self._receive()
        finally:
            hesitating.cancel()

    def step_aside(self) -> None:
        self._is_through = True
        if self._has_turn:
            self._has_turn = False
            self._turns.release()
