"""Counts what goes through an engine: tokens, the time to the first one, and how answers end."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from folio.engine.base import GenerationOutput
from folio.telemetry.metrics import (
    FIRST_TOKEN_SECONDS,
    GENERATIONS,
    STAGE_SECONDS,
    TOKENS,
    Stage,
)
from folio.telemetry.tracing import record_span

if TYPE_CHECKING:
    from vllm.v1.metrics.stats import RequestStateStats

UNFINISHED = "unfinished"


async def measured(
    outputs: AsyncGenerator[GenerationOutput, None],
) -> AsyncGenerator[GenerationOutput, None]:
    """The same outputs, counted. A stream that is closed, or breaks off, ends as unfinished."""
    started = time.monotonic()
    last: GenerationOutput | None = None
    try:
        async with aclosing(outputs):
            async for output in outputs:
                if last is None:
                    FIRST_TOKEN_SECONDS.observe(time.monotonic() - started)
                yield (last := output)
    finally:
        _count(last)


def _count(last: GenerationOutput | None) -> None:
    GENERATIONS.labels((last and last.finish_reason) or UNFINISHED).inc()
    if last is not None:
        TOKENS.labels("prompt").inc(last.prompt_tokens - last.image_tokens)
        TOKENS.labels("image").inc(last.image_tokens)
        TOKENS.labels("completion").inc(last.completion_tokens)


def observe_stages(stats: "RequestStateStats | None") -> None:
    """What a finished request spent where in the engine core, by the core's own clock."""
    if stats is None or not stats.first_token_ts:
        return
    to_wall_clock = time.time() - time.monotonic()
    for stage, begin, end in (
        (Stage.QUEUE, stats.queued_ts, stats.scheduled_ts),
        (Stage.PREFILL, stats.scheduled_ts, stats.first_token_ts),
        (Stage.DECODE, stats.first_token_ts, stats.last_token_ts),
    ):
        STAGE_SECONDS.labels(stage).observe(max(0.0, end - begin))
        record_span(f"engine {stage}", begin + to_wall_clock, end + to_wall_clock)
