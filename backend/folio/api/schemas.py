"""The wire shapes. Clients rely on the names: fields may be added, none renamed."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from folio.db import TaskKind, TaskStatus


class _Schema(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class HealthResponse(_Schema):
    """`reason` says why the status is unhealthy, or of which of several engines that is so while
    the others read, and `reason_code` the former for programs: engine_restarts, engine_given_up,
    database_unavailable, broker_unavailable, shutting_down. `engines` is the state of each;
    `model_note` what the embedded model is."""

    status: Literal["healthy", "starting", "unhealthy"]
    model_loaded: bool
    inference_engine: str
    model: str
    model_note: str | None = None
    version: str
    reason: str | None = None
    reason_code: str | None = None
    engines: list[Literal["healthy", "starting", "unhealthy"]] | None = None
    requests_in_progress: int


class LiveResponse(_Schema):
    status: Literal["alive"]


class BlockSchema(_Schema):
    """A piece of the page. `box` is around all `boxes`, in pixels of the upright image.

    `text` and `markdown` are the block's part of the page's: plain text has no heading signs, and
    tables as rows of tab-separated cells.
    """

    label: str
    text: str
    markdown: str = ""
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


class SubmittedResponse(_Schema):
    """The document's task. Its address is in the Location header."""

    task_id: UUID


class ProgressSchema(_Schema):
    """`num_pages` is null until a worker has opened the document. `pages_done` counts every page
    that has an outcome, the failed ones among them."""

    num_pages: int | None
    pages_done: int
    pages_failed: int
    percent: float
    message: str


class ResultLinks(_Schema):
    """Paths on this service."""

    markdown_url: str
    json_url: str
    zip_url: str


class TaskErrorSchema(_Schema):
    """Why the task failed: a code as in problem documents, the page it is about, if one, and in
    `values` what the message names: the members that a problem document has besides."""

    code: str
    message: str
    page_number: int | None
    values: dict[str, str | int | float]


class TaskStatusResponse(_Schema):
    """A task. `result` is there when it has succeeded, `error` when it has failed."""

    task_id: UUID
    kind: TaskKind
    filename: str
    status: TaskStatus
    progress: ProgressSchema
    timing: TimingSchema
    result: ResultLinks | None
    error: TaskErrorSchema | None


class TaskProgressEvent(TaskStatusResponse):
    """The data of a server-sent event. Null where the speed is not known (yet)."""

    pages_per_second: float | None
    eta_seconds: float | None


class TaskListResponse(_Schema):
    """The newest first. `next_cursor` leads to the older ones; null where there are none."""

    tasks: list[TaskStatusResponse]
    next_cursor: str | None


class PageSchema(_Schema):
    """A page that has its outcome. `status`: ok, retried (read well at a further try), truncated
    (the end may be missing), blank, or failed; `reason` says why where it is not ok,
    `reason_code` says it for programs.

    The boxes of `blocks` are in pixels of the rendered page, whose size is `image`. Figures in
    `markdown` are linked as `images/...`, which lies at `/api/tasks/{task_id}/files/images/...`.
    """

    page_number: int
    status: Literal["ok", "retried", "truncated", "blank", "failed"]
    reason: str | None
    reason_code: str | None
    markdown: str | None
    text: str | None
    blocks: list[BlockSchema]
    image: ImageSize | None
    mode: str | None
    duration_ms: int | None
    image_url: str | None


class TaskPagesResponse(_Schema):
    """Finished pages in the order of their numbers. Pages end in any order: one that is missing
    between two others is still being read. `next_after` is null at the end of what is there."""

    pages: list[PageSchema]
    next_after: int | None


class ProblemResponse(_Schema):
    """RFC 9457. `code` is stable, `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
