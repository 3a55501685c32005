"""Makes the application: routes, error handlers, and the engine's life inside the lifespan."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI

from folio import __version__
from folio.api.error_handlers import add_error_handlers
from folio.api.frontend import add_frontend
from folio.api.intake import Intake, IntakeGate
from folio.api.request_telemetry import RequestTelemetry
from folio.api.routes import documents, health, internal, metrics, ocr, tasks
from folio.api.turnstile import Turnstile
from folio.api.upload_limit import BodyLimit, UploadLimit
from folio.config import EngineSettings, Settings, built_frontend_path
from folio.engine import OcrEngine
from folio.engine.replicas import ReplicatedEngine, share_out_devices
from folio.engine.running import RunningRequests
from folio.engine.supervised import SupervisedEngine
from folio.engine.supervisor import RestartPolicy
from folio.engine.vllm_direct import VllmEngine
from folio.engine.wire import INFER_PATH
from folio.jobs.parts import JobParts, running_job_parts
from folio.jobs.readiness import JobReadiness
from folio.jobs.service import JobService

log = logging.getLogger(__name__)

PAGE_PATHS = {ocr.IMAGE_PATH, INFER_PATH}
# Each holds its picture twice for a moment: 240 MB of a photograph of 40 megapixels.
MIN_PARALLEL_DECODES, MAX_PARALLEL_DECODES = 4, 16
DESCRIPTION = "Pages in, text out: OCR with DeepSeek-OCR embedded in the service."


def create_app(settings: Settings, engine: OcrEngine | None = None) -> FastAPI:
    """The service around one engine; without one given, the embedded vLLM engine."""
    app = FastAPI(title="Folio", version=__version__, description=DESCRIPTION, lifespan=_lifespan)
    app.state.settings = settings
    app.state.engine = engine or make_engine(settings.engine)
    app.state.decode_limiter = CapacityLimiter(num_parallel_decodes())
    app.state.running = RunningRequests()
    app.state.intake = Intake()
    app.state.jobs = None
    app.state.job_readiness = None
    # Not documents, which may take long to come in however fast they do.
    app.add_middleware(Turnstile, paths=PAGE_PATHS)
    app.add_middleware(
        UploadLimit,
        default=BodyLimit(settings.limits.max_upload_bytes, "MAX_UPLOAD_BYTES"),
        by_path={
            documents.PATH: BodyLimit(settings.limits.max_document_bytes, "MAX_DOCUMENT_BYTES"),
            INFER_PATH: BodyLimit(internal.wire_limits(settings).max_body_bytes, "MAX_PAGE_PIXELS"),
        },
    )
    app.add_middleware(IntakeGate, intake=app.state.intake, paths=PAGE_PATHS | {documents.PATH})
    add_error_handlers(app)
    app.add_middleware(RequestTelemetry)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(ocr.router)
    app.include_router(documents.router)
    app.include_router(tasks.router)
    app.include_router(internal.router)
    add_frontend(app, settings.server.frontend_dir or built_frontend_path())
    return app


def num_parallel_decodes() -> int:
    return max(MIN_PARALLEL_DECODES, min(MAX_PARALLEL_DECODES, os.cpu_count() or 1))


def make_engine(settings: EngineSettings) -> OcrEngine:
    """The embedded vLLM engine, and another one whenever it is lost; or several of them."""
    policy = RestartPolicy(
        silence_seconds=settings.engine_silence_seconds,
        max_failed_starts=settings.engine_max_failed_starts,
    )
    if settings.data_parallel_size == 1:
        return SupervisedEngine(lambda: VllmEngine(settings), policy)

    def make_replica(index: int, devices: str) -> OcrEngine:
        return SupervisedEngine(lambda: VllmEngine(settings, devices=devices, index=index), policy)

    num_devices = settings.tensor_parallel_size or 1
    shares = share_out_devices(settings.data_parallel_size, num_devices)
    return ReplicatedEngine([make_replica(*share) for share in enumerate(shares)])


async def end_watches(app: FastAPI) -> None:
    """Let the event streams end: the service is about to stop."""
    if app.state.jobs is not None:
        await app.state.jobs.end_watches()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: OcrEngine = app.state.engine
    # What was imported stays. The garbage collector would look through all of it now and then, and
    # nobody is answered meanwhile. Not once the engine has started: what is frozen is never freed.
    gc.freeze()
    # Not awaited: the service answers /health while the model loads.
    loading = asyncio.create_task(engine.start())
    try:
        async with (
            running_job_parts(app.state.settings, engine) as parts,
            _serving_jobs(app, parts),
        ):
            yield
    finally:
        await engine.stop()
        await loading


@asynccontextmanager
async def _serving_jobs(app: FastAPI, parts: JobParts) -> AsyncIterator[None]:
    state = app.state
    state.job_parts = parts
    state.jobs = JobService(parts.database, parts.storage, parts.queue, state.running)
    state.job_readiness = JobReadiness(parts)
    try:
        yield
    finally:
        await state.jobs.close()
        await state.job_readiness.close()
