"""An engine that heals: pages that run when it dies or hangs are read by the one after it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing

from folio.engine.base import EngineState, EngineStatus, GenerationOutput, GenerationRequest
from folio.engine.measurement import measured
from folio.engine.supervisor import MortalEngine, RestartPolicy, Supervisor
from folio.errors import EngineFailedError, EngineNotReadyError, EngineOverloadedError
from folio.telemetry.metrics import PAGES_READ_AGAIN
from folio.telemetry.tracing import traced

log = logging.getLogger(__name__)

MAX_LOSSES = 3  # engines that may end while they read one page
_SUSPECT_LOSSES = 2
_PAUSE_SECONDS = 0.1
RESTARTS = "engine_restarts"
GIVEN_UP = "engine_given_up"
_STILL_LOADING = "The model is still loading. Try again in a minute."


class SupervisedEngine:
    """See the module. `make_engine` makes the first engine, and one after each that was lost.

    A page that was taken in waits for the next engine, within its caller's patience. One that has
    seen two engines end is read apart from the others that have: if it is what ends them, it takes
    no other page along, and after the third it fails.
    """

    def __init__(self, make_engine: Callable[[], MortalEngine], policy: RestartPolicy) -> None:
        self._supervisor = Supervisor(make_engine, policy)
        self._reading_suspect = asyncio.Lock()
        self._num_requests = 0

    @property
    def status(self) -> EngineStatus:
        present, supervisor = self._supervisor.engine.status, self._supervisor
        state = EngineState.UNHEALTHY if supervisor.trouble else present.state
        why_not = GIVEN_UP if supervisor.has_given_up else RESTARTS
        return EngineStatus(
            state=state,
            model=present.model,
            reason=supervisor.trouble or present.reason,
            reason_code=why_not if state is EngineState.UNHEALTHY else None,
            num_requests=self._num_requests,
            is_given_up=supervisor.has_given_up,
        )

    async def start(self) -> None:
        await self._supervisor.start()

    async def stop(self) -> None:
        await self._supervisor.stop()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """Stream the page's text; closing the generator aborts the request.

        A page whose engine was lost is begun anew, so that the text may become shorter. Raises what
        the engine raises, EngineNotReadyError before the first engine is well and when there will
        be no other, and EngineFailedError for a page that engine after engine ends on.
        """
        self._num_requests += 1
        try:
            outputs = traced("generate", self._generate(request), request_id=request.request_id)
            async with aclosing(measured(outputs)) as outputs:
                async for output in outputs:
                    yield output
        finally:
            self._num_requests -= 1

    async def _generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        num_losses = 0
        while True:
            try:
                async with AsyncExitStack() as stack:
                    if num_losses >= _SUSPECT_LOSSES:
                        await stack.enter_async_context(self._reading_suspect)
                    engine = await self._wait_until_well()
                    outputs = await stack.enter_async_context(aclosing(engine.generate(request)))
                    async for output in outputs:
                        yield output
                self._supervisor.count_read_page()
                return
            except EngineOverloadedError as error:
                if num_losses == 0:
                    raise
                # It had a place once, which its engine took along.
                await asyncio.sleep(error.retry_after_seconds)
            except EngineNotReadyError as error:
                if self._supervisor.is_over or not self._supervisor.was_well:
                    raise
                num_losses += 1
                if num_losses == MAX_LOSSES:
                    raise _given_up() from error
                PAGES_READ_AGAIN.inc()
                log.warning("Page %s is read again: %s", request.request_id, error.message)

    async def _wait_until_well(self) -> MortalEngine:
        """Raises EngineNotReadyError where there is nothing to be waited for."""
        supervisor = self._supervisor
        while not supervisor.is_well:
            if supervisor.is_over or not supervisor.was_well:
                raise EngineNotReadyError(self.status.reason or _STILL_LOADING)
            await asyncio.sleep(_PAUSE_SECONDS)
        return supervisor.engine


def _given_up() -> EngineFailedError:
    return EngineFailedError(
        f"The engine ended {MAX_LOSSES} times while it read this page, which was given up. The "
        "service's log says why."
    )
