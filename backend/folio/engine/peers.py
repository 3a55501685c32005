"""Which of several engines gets the next page, and which are left alone until they answer again.

Knows how to ask an engine for its health, and nothing of pages.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from folio.engine.base import EngineState, EngineStatus
from folio.errors import EngineError, EngineNotReadyError, EngineOverloadedError

log = logging.getLogger(__name__)

_PROBE_TIMEOUT_SECONDS = 5.0
FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
_MAX_SILENCES = 3
_UNKNOWN_MODEL = "unknown"


@dataclass(eq=False)
class Peer:
    """One engine by its address.

    busy_until: monotonic seconds, by its own Retry-After. pause_seconds: until it is asked for its
    health; grows until it has answered a page, since its health may be well when it is not.
    """

    url: str
    state: EngineState = EngineState.STARTING
    reason: str | None = None
    model: str = _UNKNOWN_MODEL
    num_requests: int = 0
    num_taken: int = 0
    busy_until: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    recovery: asyncio.Task[None] | None = None
    num_silences: int = 0
    waits: set[asyncio.Timeout] = field(default_factory=set)

    @property
    def is_well(self) -> bool:
        return self.state is EngineState.HEALTHY

    @contextmanager
    def use(self) -> Iterator[None]:
        """One request is on its way there."""
        self.num_requests += 1
        self.num_taken += 1
        try:
            yield
        finally:
            self.num_requests -= 1

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Wait for the engine inside. Raises TimeoutError when it is lost meanwhile."""
        async with asyncio.timeout(None) as wait:
            self.waits.add(wait)
            try:
                yield
            finally:
                self.waits.discard(wait)

    def lose(self) -> None:
        """End all waiting for it."""
        now = asyncio.get_running_loop().time()
        for wait in self.waits:
            wait.reschedule(now)
        self.waits.clear()


class Peers:
    """All engines of one worker process, on one event loop.

    Those of which nothing is known are looked at before they get pages. Those that work on pages
    are asked every `watch_seconds` whether they live: a host may vanish, or freeze, without a word.
    """

    def __init__(
        self, urls: Sequence[str], client: httpx.AsyncClient, *, watch_seconds: float
    ) -> None:
        self._peers = [Peer(url) for url in dict.fromkeys(url.rstrip("/") for url in urls)]
        self._client = client
        self._watch_seconds = watch_seconds
        self._watch: asyncio.Task[None] | None = None
        self._has_news = asyncio.Event()
        self._is_closed = False

    @property
    def status(self) -> EngineStatus:
        """Healthy if one engine is; `reason` tells of the others."""
        well = [peer for peer in self._peers if peer.is_well]
        state = EngineState.HEALTHY if well else self._worst_state()
        model = (well or self._peers)[0].model
        num_requests = sum(peer.num_requests for peer in self._peers)
        reason = None if len(well) == len(self._peers) else self._describe(len(well))
        return EngineStatus(state, model, reason, num_requests)

    async def look_at_all(self) -> None:
        """Ask every engine once. Those that are not well are asked again in the background."""
        await asyncio.gather(*(self._probe(peer) for peer in self._peers))
        self._look_after_all()

    async def choose(self, deadline: float) -> Peer:
        """The least busy engine, waited for until the deadline (monotonic seconds).

        Raises EngineOverloadedError, EngineNotReadyError.
        """
        while True:
            self._look_after_all()
            now = time.monotonic()
            free = [peer for peer in self._peers if peer.is_well and peer.busy_until <= now]
            if free:
                return min(free, key=lambda peer: (peer.num_requests, peer.num_taken))
            if now >= deadline or self._is_closed:
                raise self._why_none(now)
            self._has_news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_free_place(deadline) - now):
                    await self._has_news.wait()

    def leave_alone(self, peer: Peer, reason: str) -> None:
        """Give it no page until it says that it is well."""
        if peer.is_well:
            log.warning("Engine %s is left alone: %s", peer.url, reason)
        peer.state, peer.reason = EngineState.UNHEALTHY, reason
        self._look_after_all()

    def leave_busy(self, peer: Peer, seconds: float) -> None:
        """Give it no page for so long: its queue is full."""
        peer.busy_until = max(peer.busy_until, time.monotonic() + seconds)

    async def close(self) -> None:
        """Stop asking; who waits for an engine gets an error. Safe to call twice."""
        self._is_closed = True
        self._has_news.set()
        works = [work for work in (self._watch, *(peer.recovery for peer in self._peers)) if work]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    def _look_after_all(self) -> None:
        if self._is_closed:
            return
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_watch())
        for peer in self._peers:
            is_asked = peer.recovery is not None and not peer.recovery.done()
            if not (peer.is_well or is_asked):
                peer.recovery = asyncio.create_task(self._recover(peer))

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(self._watch_seconds)
            await asyncio.gather(*(self._check_life(peer) for peer in self._peers if peer.waits))

    async def _check_life(self, peer: Peer) -> None:
        """Any answer is a sign of life: what it says is for the pages' own answers to tell."""
        try:
            await self._client.get(f"{peer.url}/livez", timeout=_PROBE_TIMEOUT_SECONDS)
            peer.num_silences = 0
        except httpx.HTTPError as error:
            peer.num_silences += 1
            if peer.num_silences >= _MAX_SILENCES:
                peer.num_silences = 0
                self.leave_alone(peer, f"it gives no sign of life ({describe(error)})")
                peer.lose()

    async def _recover(self, peer: Peer) -> None:
        if peer.reason is None:  # it was never asked
            await self._probe(peer)
        while not peer.is_well:
            await asyncio.sleep(peer.pause_seconds)
            peer.pause_seconds = min(2 * peer.pause_seconds, _LONGEST_PAUSE_SECONDS)
            await self._probe(peer)

    async def _probe(self, peer: Peer) -> None:
        was_well = peer.is_well
        peer.state, peer.reason = await self._ask(peer)
        if peer.is_well and not was_well:
            log.info("Engine %s is well and serves %s", peer.url, peer.model)
        self._has_news.set()

    async def _ask(self, peer: Peer) -> tuple[EngineState, str | None]:
        """`model_loaded` counts, not the status: a database that is down stops no engine."""
        try:
            answer = await self._client.get(f"{peer.url}/health", timeout=_PROBE_TIMEOUT_SECONDS)
            health: dict[str, Any] = answer.json()
            is_loaded, status = health["model_loaded"], health["status"]
        except httpx.HTTPError as error:
            return EngineState.UNHEALTHY, describe(error)
        except (ValueError, LookupError, TypeError):
            return EngineState.UNHEALTHY, f"/health of HTTP {answer.status_code} is not Folio's"
        peer.model = str(health.get("model", _UNKNOWN_MODEL))
        if is_loaded is True:
            return EngineState.HEALTHY, None
        if status == EngineState.STARTING:
            return EngineState.STARTING, "the model is still loading"
        return EngineState.UNHEALTHY, str(health.get("reason") or "it says that it is unhealthy")

    def _worst_state(self) -> EngineState:
        is_starting = any(peer.state is EngineState.STARTING for peer in self._peers)
        return EngineState.STARTING if is_starting else EngineState.UNHEALTHY

    def _describe(self, num_well: int) -> str:
        reasons = [
            f"{peer.url}: {peer.reason or 'not asked yet'}"
            for peer in self._peers
            if not peer.is_well
        ]
        return f"{num_well} of {len(self._peers)} engines are well. {'; '.join(reasons)}"

    def _next_free_place(self, deadline: float) -> float:
        return min([deadline, *(peer.busy_until for peer in self._peers if peer.is_well)])

    def _why_none(self, now: float) -> EngineError:
        busy = [peer.busy_until - now for peer in self._peers if peer.is_well]
        if busy:
            return EngineOverloadedError(
                "The queues of all engines stay full. Run fewer workers, or more engines.",
                retry_after_seconds=max(1, round(min(busy))),
            )
        return EngineNotReadyError(
            f"No engine is well: {self._describe(0)}. Check WORKER_REMOTE_INFER_URL, and the "
            "engines' logs."
        )


def describe(error: httpx.HTTPError) -> str:
    """What happened, where httpx sometimes says nothing but the class of its error."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
