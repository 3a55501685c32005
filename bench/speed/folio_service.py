"""`folio serve` for measuring: answers of full length, and a clock at every stage.

Only here can answers be made to ignore their end: the service itself has no such setting. With
BENCH_INSTANT=1 the engine answers at once: what is left is the front end.
"""

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI

from folio.api.app import create_app
from folio.api.routes.ocr import IMAGE_PATH
from folio.cli.serve import EVENT_LOOP
from folio.config import EngineSettings, Settings
from folio.engine.base import (
    EngineState,
    EngineStatus,
    FinishReason,
    GenerationOutput,
    GenerationRequest,
    OcrEngine,
)
from folio.engine.repetition import CHECK_EVERY
from folio.engine.replicas import ReplicatedEngine, share_out_devices
from folio.engine.supervised import SupervisedEngine
from folio.engine.supervisor import RestartPolicy
from folio.engine.vllm_direct import VllmEngine
from folio.logging import configure_logging

if TYPE_CHECKING:
    from vllm.sampling_params import SamplingParams

Receive = Callable[[], Awaitable[Any]]
PIECE_TOKENS = CHECK_EVERY  # as with a GPU (folio.engine.vllm_arguments)

_arrived: ContextVar[float] = ContextVar("arrived")


class Stages:
    """Milliseconds of each request by stage."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, start: float, end: float) -> None:
        self.milliseconds[name].append(1000 * (end - start))

    def summary(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "p50": statistics.median(values),
                "p99": sorted(values)[round(0.99 * (len(values) - 1))],
                "mean": statistics.fmean(values),
            }
            for name, values in self.milliseconds.items()
        }


class MeasuredEngine(VllmEngine):
    """Writes every answer to its full length and notes when things happen."""

    def __init__(self, settings: EngineSettings, stages: Stages, devices: str | None) -> None:
        super().__init__(settings, devices=devices)
        self._stages = stages

    def _sampling_params(self, *arguments: Any) -> "SamplingParams":
        params = super()._sampling_params(*arguments)
        params.ignore_eos = True
        return params

    def _build_input(self, *arguments: Any) -> Any:
        started = time.monotonic()
        engine_input = super()._build_input(*arguments)
        self._stages.add("build_input", started, time.monotonic())
        return engine_input

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        arrived, asked = _arrived.get(), time.monotonic()
        self._stages.add("receive_and_decode_file", arrived, asked)
        first: float | None = None
        async with aclosing(super().generate(request)) as outputs:
            async for output in outputs:
                now = time.monotonic()
                if first is None:
                    first = now
                    self._stages.add("input_to_first_token", asked, now)
                    self._stages.add("first_token", arrived, now)
                yield output
                if output.finish_reason and output.completion_tokens > 1:
                    self._stages.add("decode", first, now)
                    per_token = (now - first) / (output.completion_tokens - 1)
                    self._stages.add("decode_step", 0, per_token)


class InstantEngine:
    """Takes a page the way that the real one does, and has its text at once; or piece by piece in
    the seconds that BENCH_ENGINE_SECONDS says."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._seconds = float(os.environ.get("BENCH_ENGINE_SECONDS", "0"))
        self.status = EngineStatus(EngineState.HEALTHY, "instant")

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        self._stages.add("receive_and_decode_file", _arrived.get(), time.monotonic())
        num_tokens = request.max_tokens or 512
        image_tokens = request.resolution.num_image_tokens

        def output(num_written: int, reason: FinishReason | None = None) -> GenerationOutput:
            text = "word " * num_written
            return GenerationOutput(text, image_tokens, image_tokens, num_written, reason)

        if self._seconds:
            for num_written in range(PIECE_TOKENS, num_tokens, PIECE_TOKENS):
                await asyncio.sleep(self._seconds * PIECE_TOKENS / num_tokens)
                yield output(num_written)
        yield output(num_tokens, "stop")


class ArrivalClock:
    """Notes when a request's head came in, and of a page how long it was here: what its sender
    waited longer was spent outside."""

    def __init__(self, app: Any, stages: Stages) -> None:
        self._app = app
        self._stages = stages

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        arrived = time.monotonic()
        _arrived.set(arrived)
        await self._app(scope, receive, send)
        if scope["type"] == "http" and scope["path"] == IMAGE_PATH:
            self._stages.add("in_service", arrived, time.monotonic())


def make_measured_engine(settings: Settings, stages: Stages) -> OcrEngine:
    """As `folio.api.app.make_engine` makes it."""

    policy = RestartPolicy(silence_seconds=120, max_failed_starts=1)

    def make(devices: str | None) -> OcrEngine:
        return SupervisedEngine(lambda: MeasuredEngine(settings.engine, stages, devices), policy)

    num_replicas = settings.engine.data_parallel_size
    if num_replicas == 1:
        return make(None)
    shares = share_out_devices(num_replicas, settings.engine.tensor_parallel_size or 1)
    return ReplicatedEngine([make(devices) for devices in shares])


def make_app(settings: Settings) -> FastAPI:
    stages = Stages()
    is_instant = bool(os.environ.get("BENCH_INSTANT"))
    engine = InstantEngine(stages) if is_instant else make_measured_engine(settings, stages)
    app = create_app(settings, engine)
    app.add_middleware(ArrivalClock, stages=stages)

    async def read() -> dict[str, dict[str, float]]:
        return stages.summary()

    async def reset() -> None:
        stages.milliseconds.clear()

    # Before the web page, which answers every other address.
    app.router.add_api_route("/bench/stages", read)
    app.router.add_api_route("/bench/reset", reset, methods=["POST"])
    app.router.routes[:0] = [app.router.routes.pop(), app.router.routes.pop()]
    return app


def main() -> None:
    settings = Settings()
    configure_logging(settings.server.log_level)
    app, server = make_app(settings), settings.server
    uvicorn.run(app, host=server.host, port=server.port, loop=EVENT_LOOP, log_config=None)


if __name__ == "__main__":
    main()
