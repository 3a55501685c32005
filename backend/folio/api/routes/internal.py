"""POST /internal/infer: one page's pixels in, its text out. For Folio's own workers only."""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from folio.api.deps import EngineDep, RunningDep, SettingsDep, require_ready
from folio.api.disconnect import ClientDisconnectedError
from folio.api.generation_stream import GenerationStream
from folio.config import Settings
from folio.engine import GenerationOutput, GenerationRequest, OcrEngine
from folio.engine.running import RunningRequests, ids_of, task_id_of
from folio.engine.wire import INFER_PATH, WireLimits, decode_request
from folio.errors import (
    EngineNotReadyError,
    EngineTimeoutError,
    ForbiddenError,
    UnauthorizedError,
)
from folio.telemetry.context import working_on

router = APIRouter(include_in_schema=False)


@router.post(INFER_PATH)
async def infer(
    request: Request, engine: EngineDep, settings: SettingsDep, running: RunningDep
) -> GenerationStream:
    """Read a page. The client may go away, or its task be canceled: the engine then stops."""
    _require_token(request, settings)
    require_ready(engine)  # before the page is received, which it would be in vain
    body = await _read_body(request)
    # Milliseconds for an A4 page, which the event loop does not have.
    page = await asyncio.to_thread(decode_request, body, wire_limits(settings))
    timeout_seconds = settings.limits.request_timeout_seconds
    outputs = _generate(engine, page, running, timeout_seconds=timeout_seconds)
    with working_on(**ids_of(page.request_id)):
        return await GenerationStream.begin(request, outputs)


def wire_limits(settings: Settings) -> WireLimits:
    """The limits of the settings in the words of `engine`, which does not know them."""
    return WireLimits(
        max_page_pixels=settings.jobs.max_page_pixels,
        max_side_pixels=settings.limits.max_image_side,
        max_crops=settings.engine.max_crops,
    )


def _require_token(request: Request, settings: Settings) -> None:
    secret = settings.server.internal_api_token
    token = secret.get_secret_value().strip() if secret else ""
    if not token:
        raise ForbiddenError(
            "This call is for Folio's workers and closed: set INTERNAL_API_TOKEN to open it."
        )
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
    if scheme.lower() != "bearer" or not is_right:
        raise UnauthorizedError(
            "This call takes `Authorization: Bearer` with the service's INTERNAL_API_TOKEN."
        )


async def _read_body(request: Request) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """All of it: uint8 (bytes,). UploadLimit bounds it."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
    except ClientDisconnect as error:
        raise ClientDisconnectedError from error
    return np.frombuffer(body, np.uint8)


async def _generate(
    engine: OcrEngine,
    page: GenerationRequest,
    running: RunningRequests,
    *,
    timeout_seconds: float,
) -> AsyncGenerator[GenerationOutput, None]:
    """Raises EngineError and its kinds, RequestCanceledError."""
    last: GenerationOutput | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            with running.track(task_id_of(page.request_id)):
                async with aclosing(engine.generate(page)) as outputs:
                    async for output in outputs:
                        yield (last := output)
    except TimeoutError as error:
        raise EngineTimeoutError(
            f"The page was not read within {timeout_seconds:g} s. Choose a cheaper mode, or raise "
            "REQUEST_TIMEOUT_SECONDS where the engine runs."
        ) from error
    if last is None or last.finish_reason is None:
        raise EngineNotReadyError("The engine stopped in the middle of the page. Try again.")
