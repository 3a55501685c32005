"""The wire shapes. Clients rely on the names: fields may be added, none renamed."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Schema(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class HealthResponse(_Schema):
    """`reason` says why the status is unhealthy; `model_note` what the embedded model is."""

    status: Literal["healthy", "starting", "unhealthy"]
    model_loaded: bool
    inference_engine: str
    model: str
    model_note: str | None = None
    version: str
    reason: str | None = None
    requests_in_progress: int


class LiveResponse(_Schema):
    status: Literal["alive"]


class BlockSchema(_Schema):
    """A piece of the page. `box` is around all `boxes`, in pixels of the upright image."""

    label: str
    text: str
    box: tuple[int, int, int, int] | None
    boxes: list[tuple[int, int, int, int]]


class ImageSize(_Schema):
    """Pixels of the image as uploaded, upright."""

    width: int
    height: int


class UsageSchema(_Schema):
    """`prompt_tokens` includes `image_tokens`."""

    prompt_tokens: int
    image_tokens: int
    completion_tokens: int


class TimingSchema(_Schema):
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None


class ImageOCRResponse(_Schema):
    """One page, read."""

    task_id: UUID
    text: str
    markdown: str
    raw_text: str
    blocks: list[BlockSchema]
    image: ImageSize
    mode: str
    model: str
    usage: UsageSchema
    finish_reason: Literal["stop", "length", "repetition"]
    duration_ms: int
    timing: TimingSchema


class ProblemResponse(_Schema):
    """RFC 9457. `code` is stable, `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
