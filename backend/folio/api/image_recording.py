"""Keeps image requests as tasks, however they end, without making them wait or fail."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from folio.api.disconnect import ClientDisconnectedError
from folio.db import PageOutcome, PageStatus, TaskError, TaskStatus
from folio.errors import EngineOverloadedError, FolioError
from folio.jobs.image_records import ImageRecord, image_outcome
from folio.pipeline.page import PageOptions
from folio.pipeline.results import PageResult
from folio.telemetry.metrics import PAGES

_OPTIONS = ("mode", "task", "query", "prompt", "max_tokens")


@dataclass
class ImageRequest:
    """An image request on its way. `started_at`: when its image was about to be decoded."""

    filename: str | None
    options: PageOptions
    task_id: UUID = field(default_factory=uuid4)
    queued_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_at: datetime | None = None
    page: PageResult | None = None

    def start(self) -> None:
        self.started_at = datetime.now(UTC)


@contextmanager
def recording(request: ImageRequest, record: Callable[[ImageRecord], None]) -> Iterator[None]:
    """Record how the block ends. A request that the engine's full queue turned away is left out:
    it comes again, and each try would be a task."""
    try:
        yield
    except EngineOverloadedError:
        raise
    except BaseException as error:
        record(_failed(request, error))
        raise
    record(_succeeded(request))


def _succeeded(request: ImageRequest) -> ImageRecord:
    assert request.page is not None, "the block reads the page"
    assert request.started_at is not None, "the block starts the request"
    finished_at = datetime.now(UTC)
    page = image_outcome(request.page, started_at=request.started_at, finished_at=finished_at)
    return _record(request, TaskStatus.SUCCEEDED, finished_at, page=page)


def _failed(request: ImageRequest, error: BaseException) -> ImageRecord:
    finished_at = datetime.now(UTC)
    if isinstance(error, ClientDisconnectedError | asyncio.CancelledError):
        return _record(request, TaskStatus.CANCELED, finished_at)
    why = _explain(error)
    page = PageOutcome(
        PageStatus.FAILED,
        request.started_at or finished_at,
        finished_at,
        reason=why.message,
        reason_code=why.code,
    )
    return _record(request, TaskStatus.FAILED, finished_at, page=page, error=why)


def _explain(error: BaseException) -> TaskError:
    if isinstance(error, FolioError):
        return TaskError(error.code, error.message, page_number=1, values=error.values)
    return TaskError(FolioError.code, "Something went wrong inside the service.", page_number=1)


def _record(
    request: ImageRequest,
    status: TaskStatus,
    finished_at: datetime,
    *,
    page: PageOutcome | None = None,
    error: TaskError | None = None,
) -> ImageRecord:
    PAGES.labels("image", page.status if page else status).inc()
    return ImageRecord(
        task_id=request.task_id,
        filename=request.filename,
        options={name: getattr(request.options, name) for name in _OPTIONS},
        queued_at=request.queued_at,
        started_at=request.started_at,
        finished_at=finished_at,
        status=status,
        page=page,
        error=error,
    )
