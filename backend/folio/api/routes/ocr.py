"""POST /api/ocr/image: one image in, its text back in the same call."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, File, Form, Request, UploadFile

from folio.api.deps import DecodeLimiterDep, EngineDep, SettingsDep
from folio.api.disconnect import run_while_connected
from folio.api.rendering import image_ocr_response
from folio.api.schemas import ImageOCRResponse, ProblemResponse
from folio.config import LimitSettings, Settings
from folio.documents import ImageLimits, decode_image
from folio.engine import OcrEngine
from folio.errors import EngineTimeoutError, InvalidInputError
from folio.pipeline.page import PageOptions, recognize_page
from folio.pipeline.results import PageResult

router = APIRouter(prefix="/api/ocr", tags=["ocr"])

_PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": ProblemResponse} for status in (400, 413, 415, 422, 429, 503, 504)
}

MODE_HELP = "auto, tiny, small, base, large or gundam: how finely the page is looked at"
TASK_HELP = "markdown, ocr, free, figure, describe, locate (with query) or custom (with prompt)"


@router.post("/image", responses=_PROBLEMS)
async def ocr_image(
    request: Request,
    engine: EngineDep,
    settings: SettingsDep,
    decode_limiter: DecodeLimiterDep,
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF")],
    mode: Annotated[str, Form(description=MODE_HELP)] = "auto",
    task: Annotated[str, Form(description=TASK_HELP)] = "markdown",
    query: Annotated[str | None, Form(description="what to look for, with task=locate")] = None,
    prompt: Annotated[str | None, Form(description="your own words, with task=custom")] = None,
    max_tokens: Annotated[int | None, Form(ge=1, description="the longest answer")] = None,
) -> ImageOCRResponse:
    """Read one image. The client may go away: the reading is then stopped in the engine."""
    queued_at = datetime.now(UTC)
    await _require_one_file(request)
    options = PageOptions(mode=mode, task=task, query=query, prompt=prompt, max_tokens=max_tokens)
    reading = _read_page(engine, await image.read(), options, settings, decode_limiter)
    page, started_at = await run_while_connected(request, reading)
    return image_ocr_response(
        page,
        task_id=uuid4(),
        model=engine.status.model,
        queued_at=queued_at,
        started_at=started_at,
    )


async def _require_one_file(request: Request) -> None:
    images = (await request.form()).getlist("image")
    if len(images) > 1:
        raise InvalidInputError(
            f"{len(images)} images were sent in one call. Send one image per call."
        )


async def _read_page(
    engine: OcrEngine,
    data: bytes,
    options: PageOptions,
    settings: Settings,
    decode_limiter: CapacityLimiter,
) -> tuple[PageResult, datetime]:
    """The page, and when work on it began."""
    timeout_seconds = settings.limits.request_timeout_seconds
    try:
        async with asyncio.timeout(timeout_seconds):
            async with decode_limiter:
                started_at = datetime.now(UTC)
                image = await to_thread.run_sync(decode_image, data, image_limits(settings.limits))
            page = await recognize_page(
                engine, image.pixels, options, max_crops=settings.engine.max_crops
            )
            return page, started_at
    except TimeoutError as error:
        raise EngineTimeoutError(
            f"The page was not read within {timeout_seconds:g} s. Try a smaller max_tokens or a "
            "cheaper mode, or raise REQUEST_TIMEOUT_SECONDS."
        ) from error


def image_limits(limits: LimitSettings) -> ImageLimits:
    """The limits of the settings in the words of `documents`, which does not know them."""
    return ImageLimits(
        max_bytes=limits.max_upload_bytes,
        max_pixels=limits.max_image_pixels,
        max_side_pixels=limits.max_image_side,
    )
