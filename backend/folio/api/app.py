"""Makes the application: routes, error handlers, and the engine's life inside the lifespan."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI

from folio import __version__
from folio.api.error_handlers import add_error_handlers
from folio.api.routes import health, ocr
from folio.api.upload_limit import UploadLimit
from folio.config import Settings
from folio.engine import OcrEngine
from folio.engine.vllm_direct import VllmEngine

log = logging.getLogger(__name__)

MAX_PARALLEL_DECODES = 4
DESCRIPTION = "Pages in, text out: OCR with DeepSeek-OCR embedded in the service."


def create_app(settings: Settings, engine: OcrEngine | None = None) -> FastAPI:
    """The service around one engine; without one given, the embedded vLLM engine."""
    app = FastAPI(title="Folio", version=__version__, description=DESCRIPTION, lifespan=_lifespan)
    app.state.settings = settings
    app.state.engine = engine or VllmEngine(settings.engine)
    app.state.decode_limiter = CapacityLimiter(MAX_PARALLEL_DECODES)
    app.add_middleware(UploadLimit, max_bytes=settings.limits.max_upload_bytes)
    add_error_handlers(app)
    app.include_router(health.router)
    app.include_router(ocr.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: OcrEngine = app.state.engine
    # Not awaited: the service answers /health while the model loads.
    loading = asyncio.create_task(engine.start())
    try:
        yield
    finally:
        await engine.stop()
        await loading
