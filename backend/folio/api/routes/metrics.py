"""GET /metrics: what an operator watches, vLLM's own metrics among it, for Prometheus."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from folio.api.deps import EngineDep
from folio.db import Backlog
from folio.engine import EngineState, EngineStatus
from folio.errors import StorageUnavailableError
from folio.jobs.service import JobService
from folio.telemetry.metrics import (
    ENGINE_REQUESTS,
    ENGINE_STATE,
    ENGINES,
    QUEUE_AGE_SECONDS,
    QUEUED_PAGES,
    QUEUED_TASKS,
)

router = APIRouter(include_in_schema=False)

_DATABASE_SECONDS = 1.0


@router.get("/metrics")
async def metrics(request: Request, engine: EngineDep) -> Response:
    """As text, also where OpenMetrics is asked for: vLLM's metrics make no valid OpenMetrics.

    Answers within about a second. Where the database is away the queue's values are those of the
    last time that it was there.
    """
    _show_engine(engine.status)
    backlog = await _backlog(request.app.state.jobs)
    if backlog is not None:
        _show_backlog(backlog)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _show_engine(status: EngineStatus) -> None:
    for state in EngineState:
        ENGINE_STATE.labels(state).set(state is status.state)
        ENGINES.labels(state).set((status.engines or (status.state,)).count(state))
    ENGINE_REQUESTS.set(status.num_requests)


def _show_backlog(backlog: Backlog) -> None:
    QUEUED_TASKS.labels("queued").set(backlog.num_queued)
    QUEUED_TASKS.labels("running").set(backlog.num_running)
    QUEUED_PAGES.set(backlog.num_pages)
    oldest = backlog.oldest_queued_at
    QUEUE_AGE_SECONDS.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0)


async def _backlog(jobs: JobService | None) -> Backlog | None:
    """None also before the service has started."""
    if jobs is None:
        return None
    try:
        async with asyncio.timeout(_DATABASE_SECONDS):
            return await jobs.backlog()
    except (StorageUnavailableError, TimeoutError):
        return None
