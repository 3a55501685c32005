"""Keeps an engine alive: starts it, notices its death or its silence, and starts another one.

Knows nothing of pages.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from folio.engine.base import EngineState, OcrEngine
from folio.telemetry.metrics import ENGINE_LOSSES, Loss

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_QUESTION_PAUSE_SECONDS = 5.0
# One look may come late without the engine's fault: after a pause of the whole machine.
_LOOKS_AT_A_SILENCE = 3
_GOOD_LIFE_SECONDS = 60.0


class MortalEngine(OcrEngine, Protocol):
    """An engine that lives once: after its end another one is made."""

    async def ping(self) -> None:
        """Return when whatever runs the model has answered; it does between two of its steps."""


@dataclass(frozen=True)
class RestartPolicy:
    """When an engine is given up, and how long to wait before the next one.

    silence_seconds: an engine that answers nothing for so long hangs. max_failed_starts: after so
    many in a row that came to nothing there is no other. Pauses double from the first to the
    longest.
    """

    silence_seconds: float
    max_failed_starts: int
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0

    def pause_seconds(self, num_failures: int) -> float:
        """None after a life that was good."""
        if num_failures == 0:
            return 0.0
        return float(
            min(self.first_pause_seconds * 2 ** (num_failures - 1), self.longest_pause_seconds)
        )


class Supervisor:
    """See the module. `engine` is the present one.

    `trouble` says in words why it is of no use now; None while it first loads and when it is well.
    `is_over`: there will be no other one, by stop() or, with `has_given_up`, after too many
    failures or one that nothing but mending helps. `was_well`: some engine was, once.
    """

    def __init__(self, make_engine: Callable[[], MortalEngine], policy: RestartPolicy) -> None:
        self._make_engine = make_engine
        self._policy = policy
        self._life: asyncio.Task[None] | None = None
        self._has_settled = asyncio.Event()
        self._has_read = False
        self.engine = make_engine()
        self.trouble: str | None = None
        self.was_well = False
        self.is_over = False
        self.has_given_up = False

    @property
    def is_well(self) -> bool:
        """Asked of the engine at each call, so that its death shows at once."""
        return self.trouble is None and self.engine.status.state is EngineState.HEALTHY

    def count_read_page(self) -> None:
        """The present engine has read a page to its end: its start was worth it."""
        self._has_read = True

    async def start(self) -> None:
        """Start the first engine. Returns when it is well or has failed; the rest goes on."""
        self._life = asyncio.create_task(self._run(), name="Engine supervision")
        await self._has_settled.wait()

    async def stop(self) -> None:
        """End the engine, and start no other one. Safe to call twice."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        self.is_over = True
        self._has_settled.set()
        await self.engine.stop()
        if self._life is not None and not self._life.cancelled():
            self._life.result()

    async def _run(self) -> None:
        try:
            await self._keep_alive()
        finally:
            self.is_over = True
            self._has_settled.set()

    async def _keep_alive(self) -> None:
        """One engine after another, until too many have come to nothing."""
        num_failures = 0
        while True:
            reason, was_good = await self._live()
            num_failures = 0 if was_good else num_failures + 1
            self.trouble = f"{reason} It is being started again."
            why_no_other = self._why_no_other(num_failures)
            await self.engine.stop()
            if why_no_other:
                break
            pause_seconds = self._policy.pause_seconds(num_failures)
            log.error("%s It is started again in %g s", reason, pause_seconds)
            self._has_settled.set()
            await asyncio.sleep(pause_seconds)
            self.engine = self._make_engine()
        self.has_given_up = True
        self.trouble = f"{reason} {why_no_other}"
        log.critical("%s", self.trouble)

    def _why_no_other(self, num_failures: int) -> str | None:
        """A set-up that worked once is tried again: what a dead engine held may not be free yet."""
        if self.engine.status.needs_mending and not self.was_well:
            return "Folio does not try again by itself: mend it, then start Folio anew."
        if num_failures >= self._policy.max_failed_starts:
            return f"It is given up after {num_failures} starts that came to nothing."
        return None

    async def _live(self) -> tuple[str, bool]:
        """One engine's life: why it ended, and whether it was worth its start."""
        await self.engine.start()
        if self.engine.status.state is not EngineState.HEALTHY:
            ENGINE_LOSSES.labels(Loss.NOT_STARTED).inc()
            return self.engine.status.reason or "The engine did not start.", False
        started = time.monotonic()
        self._has_read = False
        self.trouble, self.was_well = None, True
        self._has_settled.set()
        reason = await self._wait_until_lost()
        return reason, self._has_read or time.monotonic() - started > _GOOD_LIFE_SECONDS

    async def _wait_until_lost(self) -> str:
        """Until the engine dies or hangs; gives the reason."""
        silence = asyncio.create_task(self._wait_for_silence(), name="Engine silence")
        try:
            while not silence.done():
                status = self.engine.status
                if status.state is not EngineState.HEALTHY:
                    ENGINE_LOSSES.labels(Loss.DIED).inc()
                    return status.reason or "The engine has ended."
                await asyncio.sleep(_LOOK_SECONDS)
            silence.result()
        finally:
            silence.cancel()
        ENGINE_LOSSES.labels(Loss.HUNG).inc()
        return f"The engine has not answered for {self._policy.silence_seconds:g} s: it hangs."

    async def _wait_for_silence(self) -> None:
        """Until the engine leaves a question unanswered."""
        pause_seconds = min(_QUESTION_PAUSE_SECONDS, self._policy.silence_seconds)
        while True:
            if not await self._answers():
                return
            await asyncio.sleep(pause_seconds)

    async def _answers(self) -> bool:
        """Whether a question to the engine is answered in time."""
        question = asyncio.create_task(self.engine.ping(), name="Engine question")
        try:
            for _ in range(_LOOKS_AT_A_SILENCE):
                look_seconds = self._policy.silence_seconds / _LOOKS_AT_A_SILENCE
                await asyncio.wait([question], timeout=look_seconds)
                if question.done():
                    question.result()
                    return True
        finally:
            question.cancel()
        return False
