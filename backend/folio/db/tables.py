"""The tables. A lease says who works on a row, and until when the others leave it alone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, MetaData, String, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from folio.db.column_types import StorableJson, StorableText, UtcDateTime, word_of
from folio.db.records import PageStatus, TaskKind, TaskStatus


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TaskRow(Base):
    """A task. `pages_done` counts every page with an outcome, the failed ones among them.

    `num_pages` is None until the document was opened. duration_ms runs from queued_at.
    `enqueued_at` is when the queue last took the task; the reaper waits a while after it. `trace`
    is the span that submitted it, as headers name it, for the spans of those who work on it.
    """

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[TaskKind] = mapped_column(word_of(TaskKind))
    filename: Mapped[str] = mapped_column(StorableText)
    options: Mapped[dict[str, Any]] = mapped_column(StorableJson)
    status: Mapped[TaskStatus] = mapped_column(word_of(TaskStatus))
    num_pages: Mapped[int | None]
    pages_done: Mapped[int] = mapped_column(default=0)
    pages_failed: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(StorableText)
    error_page_number: Mapped[int | None]
    error_values: Mapped[dict[str, Any] | None] = mapped_column(StorableJson)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    enqueued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    trace: Mapped[dict[str, str] | None] = mapped_column(StorableJson)
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index(None, "queued_at", "id"),
        Index(None, "status", "queued_at", "id"),
        Index(None, "finished_at"),
    )


class PageRow(Base):
    """A page of a task. `num_claims` counts how often a worker took it up."""

    __tablename__ = "pages"

    task_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    page_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[PageStatus] = mapped_column(word_of(PageStatus))
    reason: Mapped[str | None] = mapped_column(StorableText)
    reason_code: Mapped[str | None] = mapped_column(String(64))
    text: Mapped[str | None] = mapped_column(StorableText)
    markdown: Mapped[str | None] = mapped_column(StorableText)
    raw_attempts: Mapped[list[dict[str, Any]]] = mapped_column(StorableJson, default=list)
    blocks: Mapped[list[dict[str, Any]]] = mapped_column(StorableJson, default=list)
    usage: Mapped[dict[str, Any]] = mapped_column(StorableJson, default=dict)
    mode: Mapped[str | None] = mapped_column(String(16))
    width: Mapped[int | None]
    height: Mapped[int | None]
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    num_claims: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index(None, "task_id", "status", "page_number"),)
