"""From results to wire shapes."""

from datetime import UTC, datetime
from uuid import UUID

from folio.api.schemas import (
    BlockSchema,
    ImageOCRResponse,
    ImageSize,
    TimingSchema,
    UsageSchema,
)
from folio.pipeline.markdown import to_markdown, to_plain_text
from folio.pipeline.results import Block, BoundingBox, PageResult


def image_ocr_response(
    page: PageResult, *, task_id: UUID, model: str, queued_at: datetime, started_at: datetime | None
) -> ImageOCRResponse:
    """The answer for a page that has just been read: it finishes now."""
    finished_at = datetime.now(UTC)
    duration_ms = round((finished_at - queued_at).total_seconds() * 1000)
    return ImageOCRResponse(
        task_id=task_id,
        text=page.text,
        markdown=page.markdown,
        raw_text=page.raw_text,
        blocks=[block_schema(block) for block in page.blocks],
        image=ImageSize(width=page.width, height=page.height),
        mode=page.mode,
        model=model,
        usage=UsageSchema(
            prompt_tokens=page.usage.prompt_tokens,
            image_tokens=page.usage.image_tokens,
            completion_tokens=page.usage.completion_tokens,
        ),
        finish_reason=page.finish_reason,
        duration_ms=duration_ms,
        timing=TimingSchema(
            queued_at=queued_at,
            started_at=started_at,
            finished_at=finished_at,
            duration_ms=duration_ms,
        ),
    )


def block_schema(block: Block) -> BlockSchema:
    """`box` is the box around all of the block's boxes."""
    return BlockSchema(
        label=block.label,
        text=to_plain_text([block]),
        markdown=to_markdown([block]),
        box=_corners(block.box) if block.box else None,
        boxes=[_corners(box) for box in block.boxes],
    )


def _corners(box: BoundingBox) -> tuple[int, int, int, int]:
    return box.x0, box.y0, box.x1, box.y1
