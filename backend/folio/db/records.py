"""What is written to the tables, in words of our own."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class TaskKind(StrEnum):
    """What the user gave."""

    IMAGE = "image"
    PDF = "pdf"


class TaskStatus(StrEnum):
    """A task is queued, runs, and ends in one of three ways."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


UNFINISHED = (TaskStatus.QUEUED, TaskStatus.RUNNING)


class PageStatus(StrEnum):
    """PENDING until the page has its outcome; the other values are outcomes."""

    PENDING = "pending"
    OK = "ok"
    RETRIED = "retried"
    TRUNCATED = "truncated"
    BLANK = "blank"
    FAILED = "failed"


@dataclass(frozen=True)
class Backlog:
    """Documents that have not ended. `num_pages`: theirs without an outcome, as far as they have
    been opened. `oldest_queued_at`: of those that nobody has begun."""

    num_queued: int
    num_running: int
    num_pages: int
    oldest_queued_at: datetime | None


@dataclass(frozen=True)
class NewTask:
    """A task as it is submitted. `options` are JSON; `trace` as in TaskRow."""

    id: UUID
    kind: TaskKind
    filename: str
    options: dict[str, Any]
    queued_at: datetime
    trace: dict[str, str] | None = None


@dataclass(frozen=True)
class TaskError:
    """Why a task failed: a code of errors.py, a message for the user, and what that names."""

    code: str
    message: str
    page_number: int | None = None
    values: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class PageOutcome:
    """How a page ended. `raw_attempts`, `blocks` and `usage` are JSON.

    `raw_attempts` holds what the model wrote in every attempt, the last one last. width and
    height are in pixels of the rendered page, which the blocks' boxes refer to. `reason_code` is
    stable where `reason` is words.
    """

    status: PageStatus
    started_at: datetime
    finished_at: datetime
    reason: str | None = None
    reason_code: str | None = None
    text: str | None = None
    markdown: str | None = None
    raw_attempts: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    mode: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class EndedTask:
    """A task of one page that is stored when it has ended. `page` where there is an outcome."""

    new: NewTask
    status: TaskStatus
    started_at: datetime | None
    finished_at: datetime
    page: PageOutcome | None = None
    error: TaskError | None = None


def duration_ms(start: datetime, end: datetime) -> int:
    """Milliseconds, never negative: the clocks of two machines may differ."""
    return max(0, round((end - start).total_seconds() * 1000))
