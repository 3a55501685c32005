"""POST /api/ocr/image: one image in, its text back in the same call."""

import asyncio
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, File, Form, Request, UploadFile

from folio.api.deps import (
    DecodeLimiterDep,
    EngineDep,
    RecordImageDep,
    SettingsDep,
    require_ready,
)
from folio.api.disconnect import run_while_connected
from folio.api.forms import (
    MODE_HELP,
    PROMPT_HELP,
    QUERY_HELP,
    TASK_HELP,
    TOKENS_HELP,
    require_one_file,
)
from folio.api.image_recording import ImageRequest, recording
from folio.api.problems import problems
from folio.api.rendering import image_ocr_response
from folio.api.schemas import ImageOCRResponse
from folio.config import LimitSettings, Settings
from folio.documents import ImageLimits, decode_image
from folio.engine import OcrEngine
from folio.errors import EngineTimeoutError
from folio.pipeline.page import PageOptions, recognize_page
from folio.pipeline.results import PageResult
from folio.telemetry.context import working_on
from folio.telemetry.metrics import Stage, timed

router = APIRouter(tags=["ocr"])

IMAGE_PATH = "/api/ocr/image"


@router.post(IMAGE_PATH, responses=problems(400, 413, 415, 422, 429, 500, 503, 504))
async def ocr_image(
    request: Request,
    engine: EngineDep,
    settings: SettingsDep,
    decode_limiter: DecodeLimiterDep,
    record_image: RecordImageDep,
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF")],
    mode: Annotated[str, Form(description=MODE_HELP)] = "auto",
    task: Annotated[str, Form(description=TASK_HELP)] = "markdown",
    query: Annotated[str | None, Form(description=QUERY_HELP)] = None,
    prompt: Annotated[str | None, Form(description=PROMPT_HELP)] = None,
    max_tokens: Annotated[int | None, Form(ge=1, description=TOKENS_HELP)] = None,
) -> ImageOCRResponse:
    """Read one image. The client may go away: the reading is then stopped in the engine.

    The request is kept as a task of kind image, however it ends: `task_id` looks it up.
    """
    await require_one_file(request, "image")
    options = PageOptions(mode=mode, task=task, query=query, prompt=prompt, max_tokens=max_tokens)
    require_ready(engine)
    image_request = ImageRequest(image.filename, options)
    reading = _read_page(image_request, await image.read(), engine, settings, decode_limiter)
    ids = working_on(task_id=str(image_request.task_id))
    with ids, recording(image_request, record_image):
        page = image_request.page = await run_while_connected(request, reading)
    return image_ocr_response(
        page,
        task_id=image_request.task_id,
        model=engine.status.model,
        queued_at=image_request.queued_at,
        started_at=image_request.started_at,
    )


async def _read_page(
    image_request: ImageRequest,
    data: bytes,
    engine: OcrEngine,
    settings: Settings,
    decode_limiter: CapacityLimiter,
) -> PageResult:
    timeout_seconds = settings.limits.request_timeout_seconds
    try:
        async with asyncio.timeout(timeout_seconds):
            async with decode_limiter:
                image_request.start()
                limits = image_limits(settings.limits)
                with timed(Stage.DECODE_FILE):
                    image = await to_thread.run_sync(decode_image, data, limits)
            return await recognize_page(
                engine, image.pixels, image_request.options, max_crops=settings.engine.max_crops
            )
    except TimeoutError as error:
        raise EngineTimeoutError(
            f"The page was not read within {timeout_seconds:g} s. Try a smaller max_tokens or a "
            "cheaper mode, or raise REQUEST_TIMEOUT_SECONDS.",
            timeout_seconds=timeout_seconds,
        ) from error


def image_limits(limits: LimitSettings) -> ImageLimits:
    """The limits of the settings in the words of `documents`, which does not know them."""
    return ImageLimits(
        max_bytes=limits.max_upload_bytes,
        max_pixels=limits.max_image_pixels,
        max_side_pixels=limits.max_image_side,
    )
