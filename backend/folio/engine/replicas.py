"""Several engines as one, each with cards of its own: a page goes to the least busy one.

vLLM's own data parallel engine cores would share the experts of a mixture-of-experts model between
the cards, and so take every step together; the model is small enough for each card to hold it.
"""

import os
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager

import anyio

from folio.engine.base import (
    EngineState,
    EngineStatus,
    GenerationOutput,
    GenerationRequest,
    OcrEngine,
)

_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
_starting = threading.Lock()


class ReplicatedEngine:
    """See the module. Healthy as long as one of them is."""

    def __init__(self, engines: Sequence[OcrEngine]) -> None:
        self._engines = tuple(engines)

    @property
    def status(self) -> EngineStatus:
        statuses = [engine.status for engine in self._engines]
        best = min(statuses, key=lambda status: _BEST_FIRST.index(status.state))
        return EngineStatus(
            best.state,
            best.model,
            reason=_describe(statuses),
            reason_code=best.reason_code,
            num_requests=sum(status.num_requests for status in statuses),
            # While one of them reads, an end of the process would take it along.
            is_given_up=all(status.is_given_up for status in statuses),
            engines=tuple(status.state for status in statuses),
        )

    async def start(self) -> None:
        async with anyio.create_task_group() as group:
            for engine in self._engines:
                group.start_soon(engine.start)

    async def stop(self) -> None:
        async with anyio.create_task_group() as group:
            for engine in self._engines:
                group.start_soon(engine.stop)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """As one engine does, and raises what it raises."""
        async with aclosing(self._choose().generate(request)) as outputs:
            async for output in outputs:
                yield output

    def _choose(self) -> OcrEngine:
        """The least busy one of those that are best off."""

        def burden(engine: OcrEngine) -> tuple[int, int]:
            status = engine.status
            return _BEST_FIRST.index(status.state), status.num_requests

        return min(self._engines, key=burden)


_BEST_FIRST = (EngineState.HEALTHY, EngineState.STARTING, EngineState.UNHEALTHY)


def _describe(statuses: Sequence[EngineStatus]) -> str | None:
    """How many are healthy, and why each other one is not. None where all are."""
    others = [
        f"Engine {index}: {status.reason or f'It is {status.state}.'}"
        for index, status in enumerate(statuses)
        if status.state is not EngineState.HEALTHY
    ]
    if not others:
        return None
    num_healthy = len(statuses) - len(others)
    return f"{num_healthy} of {len(statuses)} engines are healthy. {' '.join(others)}"


def share_out_devices(num_replicas: int, devices_per_replica: int) -> list[str]:
    """What each replica's CUDA_VISIBLE_DEVICES is to be: the next of those that we may use."""
    allowed = os.environ.get(_VISIBLE_DEVICES)
    names = allowed.split(",") if allowed else None
    shares = []
    for first in range(0, num_replicas * devices_per_replica, devices_per_replica):
        indices = range(first, first + devices_per_replica)
        shares.append(",".join(names[i] if names and i < len(names) else str(i) for i in indices))
    return shares


@contextmanager
def visible_devices(devices: str | None) -> Iterator[None]:
    """Engine cores take over the environment when they start, so they start one after the other."""
    if devices is None:
        yield
        return
    with _starting:
        before = os.environ.get(_VISIBLE_DEVICES)
        os.environ[_VISIBLE_DEVICES] = devices
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VISIBLE_DEVICES]
            else:
                os.environ[_VISIBLE_DEVICES] = before
