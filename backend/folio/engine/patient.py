"""An engine that waits for another one to be ready, as documents do: nobody sits before them."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from folio.engine.base import (
    EngineState,
    EngineStatus,
    GenerationOutput,
    GenerationRequest,
    OcrEngine,
)
from folio.errors import EngineNotReadyError, EngineOverloadedError

_PAUSE_SECONDS = 0.1


class PatientEngine:
    """The same engine for requests that can wait: through its start, and through a full queue."""

    def __init__(self, engine: OcrEngine, *, wait_seconds: float) -> None:
        self._engine = engine
        self._wait_seconds = wait_seconds

    @property
    def status(self) -> EngineStatus:
        return self._engine.status

    async def start(self) -> None:
        """No-op: the engine is another's to start and to stop."""

    async def stop(self) -> None:
        """No-op, see start()."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """Raises what the engine raises, once it has been waited for in vain."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            await self._wait_until_ready(deadline)
            try:
                async with aclosing(self._engine.generate(request)) as outputs:
                    async for output in outputs:
                        yield output
                return
            except EngineOverloadedError as error:
                if time.monotonic() + error.retry_after_seconds > deadline:
                    raise
                await asyncio.sleep(error.retry_after_seconds)
            except EngineNotReadyError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _wait_until_ready(self, deadline: float) -> None:
        while self._engine.status.state is not EngineState.HEALTHY:
            if time.monotonic() > deadline:
                reason = self._engine.status.reason or "it is still loading"
                raise EngineNotReadyError(f"The engine does not get ready: {reason}")
            await asyncio.sleep(_PAUSE_SECONDS)
