"""An engine's answer as a stream of lines, for a client that may go away at any time.

Errors before the first output are raised, so that they become HTTP statuses; those after it are the
stream's last line.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from folio.api.disconnect import ClientDisconnectedError, run_while_connected
from folio.engine import GenerationOutput
from folio.engine.answers import LINES_MEDIA_TYPE, encode_error, encode_output
from folio.errors import FolioError
from folio.telemetry.metrics import PROBLEMS

log = logging.getLogger(__name__)

# Each output holds the whole text so far: some are left out, which spares both sides the work.
_LINE_INTERVAL_SECONDS = 0.25


class Generation:
    """A request to the engine, run in an asyncio task of its own from its begin to its end."""

    def __init__(self, outputs: AsyncGenerator[GenerationOutput, None]) -> None:
        self._latest: GenerationOutput | None = None
        self._has_begun = asyncio.Event()
        self._work = asyncio.create_task(self._run(outputs))
        self._work.add_done_callback(lambda _: self._has_begun.set())

    async def _run(self, outputs: AsyncGenerator[GenerationOutput, None]) -> None:
        async with aclosing(outputs):
            async for output in outputs:
                self._latest = output
                self._has_begun.set()

    async def begin(self) -> None:
        """Wait for the first output. Raises what the engine raises before it."""
        await self._has_begun.wait()
        if self._work.done():
            self._work.result()

    async def outputs(self) -> AsyncGenerator[GenerationOutput, None]:
        """Outputs at intervals, the last one always. Raises what the engine raises."""
        sent: GenerationOutput | None = None
        while not self._work.done():
            if self._latest is not None and self._latest is not sent:
                yield (sent := self._latest)
            await asyncio.wait([self._work], timeout=_LINE_INTERVAL_SECONDS)
        self._work.result()
        if self._latest is not None and self._latest is not sent:
            yield self._latest

    async def close(self) -> None:
        """Abort what still runs."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


class GenerationStream(Response):
    """The lines of a generation that has begun. A client that leaves aborts it at once."""

    media_type = LINES_MEDIA_TYPE

    def __init__(self, generation: Generation) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._generation = generation

    @classmethod
    async def begin(cls, request: Request, outputs: AsyncGenerator[GenerationOutput, None]) -> Self:
        """Start, and wait for the first output. The request's body must have been read."""
        generation = Generation(outputs)
        try:
            await run_while_connected(request, generation.begin())
        except BaseException:
            await generation.close()
            raise
        return cls(generation)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await run_while_connected(Request(scope, receive), self._send_lines(send))
        except ClientDisconnectedError:
            log.info("%s: the client went away, reading stopped", scope["path"])
        finally:
            await self._generation.close()

    async def _send_lines(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for line in self._lines():
            await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._generation.outputs()) as outputs:
                async for output in outputs:
                    yield encode_output(output)
        except FolioError as error:
            PROBLEMS.labels(error.code).inc()
            log.info("A page broke off: %s (%s)", error.code, error.message)
            yield encode_error(error)
        except Exception:
            # The handler for what nobody expected cannot answer any more: the answer has begun.
            PROBLEMS.labels(FolioError.code).inc()
            log.exception("A page broke off")
            yield encode_error(
                FolioError("Something went wrong inside the engine's service. See its log.")
            )
