"""Tasks: every query of them but the heartbeat's, which are in `leases`."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db.cursor import Cursor
from folio.db.records import (
    UNFINISHED,
    Backlog,
    NewTask,
    PageStatus,
    TaskError,
    TaskStatus,
    duration_ms,
)
from folio.db.statements import changed, is_free
from folio.db.tables import PageRow, TaskRow

# Of a task whose every page has its outcome, and that has not ended itself.
IS_READ = and_(TaskRow.status.in_(UNFINISHED), TaskRow.pages_done >= TaskRow.num_pages)


@dataclass(frozen=True)
class TaskListing:
    """Tasks, newest first, and where the next ones begin (None at the end)."""

    tasks: list[TaskRow]
    next_cursor: str | None


class TaskRepository:
    """Tasks: what state they are in, and who drives them.

    Works within the caller's transaction and never commits. Times come from the caller: those of
    leases by read_clock().
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def add(self, task: NewTask, *, enqueued_at: datetime | None = None) -> None:
        """A queued task. `enqueued_at` is by read_clock(), for a task that the reaper may see."""
        self._session.add(
            TaskRow(
                **asdict(task),
                status=TaskStatus.QUEUED,
                enqueued_at=enqueued_at or task.queued_at,
            )
        )

    async def get(self, task_id: UUID) -> TaskRow | None:
        return await self._session.get(TaskRow, task_id, populate_existing=True)

    async def get_many(self, task_ids: Collection[UUID]) -> dict[UUID, TaskRow]:
        """Those that are there."""
        tasks = await self._session.scalars(select(TaskRow).where(TaskRow.id.in_(task_ids)))
        return {task.id: task for task in tasks}

    async def list_newest(
        self, *, limit: int, cursor: str | None = None, status: TaskStatus | None = None
    ) -> TaskListing:
        """Raises InvalidInputError for a cursor that is none of ours."""
        order = tuple_(TaskRow.queued_at, TaskRow.id)
        query = select(TaskRow).order_by(TaskRow.queued_at.desc(), TaskRow.id.desc())
        if status is not None:
            query = query.where(TaskRow.status == status)
        if cursor is not None:
            last = Cursor.decode(cursor)
            query = query.where(order < (last.queued_at, last.task_id))
        tasks = list(await self._session.scalars(query.limit(limit + 1)))
        if len(tasks) <= limit:
            return TaskListing(tasks, None)
        last_task = tasks[limit - 1]
        return TaskListing(tasks[:limit], Cursor(last_task.queued_at, last_task.id).encode())

    async def start(self, task_id: UUID, *, now: datetime) -> bool:
        """Whether the task runs now. False for one that has ended, or was never there."""
        return await self._update(
            and_(TaskRow.id == task_id, TaskRow.status.in_(UNFINISHED)),
            status=TaskStatus.RUNNING,
            started_at=func.coalesce(TaskRow.started_at, now),
        )

    async def finish(
        self, task_id: UUID, status: TaskStatus, *, now: datetime, error: TaskError | None = None
    ) -> bool:
        """End a task. False where it has ended already: the first end stays."""
        task = await self.get(task_id)
        if task is None:
            return False
        return await self._update(
            and_(TaskRow.id == task_id, TaskRow.status.in_(UNFINISHED)),
            status=status,
            finished_at=now,
            duration_ms=duration_ms(task.queued_at, now),
            error_code=error and error.code,
            error_message=error and error.message,
            error_page_number=error and error.page_number,
            error_values=error and error.values,
            lease_owner=None,
            lease_expires_at=None,
        )

    async def delete(self, task_id: UUID) -> bool:
        """Delete the task with its pages. Its files are the caller's to delete before."""
        return await changed(self._session, sql_delete(TaskRow).where(TaskRow.id == task_id))

    async def lease(
        self, task_id: UUID, owner: str, *, now: datetime, expires_at: datetime
    ) -> bool:
        """Become the one who opens the document or writes the results, or stay it for longer."""
        return await self._update(
            and_(
                TaskRow.id == task_id,
                TaskRow.status.in_(UNFINISHED),
                or_(is_free(TaskRow.lease_expires_at, now), TaskRow.lease_owner == owner),
            ),
            lease_owner=owner,
            lease_expires_at=expires_at,
        )

    async def release(self, task_id: UUID, owner: str) -> bool:
        return await self._update(
            and_(TaskRow.id == task_id, TaskRow.lease_owner == owner),
            lease_owner=None,
            lease_expires_at=None,
        )

    async def take_stalled(
        self, *, now: datetime, enqueued_before: datetime, limit: int
    ) -> list[UUID]:
        """Unfinished tasks that nobody works on and no queue took lately. For the reaper.

        They count as enqueued now, so that two reapers do not take the same ones. What was enqueued
        at a time that has not come yet was so before the clock was set back: it waits no longer.
        """
        has_leased_page = exists().where(
            PageRow.task_id == TaskRow.id,
            PageRow.status == PageStatus.PENDING,
            PageRow.lease_expires_at > now,
        )
        stalled = (
            select(TaskRow.id)
            .where(
                TaskRow.status.in_(UNFINISHED),
                or_(TaskRow.enqueued_at < enqueued_before, TaskRow.enqueued_at > now),
                is_free(TaskRow.lease_expires_at, now),
                ~has_leased_page,
            )
            .order_by(TaskRow.queued_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=TaskRow)
        )
        task_ids = list(await self._session.scalars(stalled))
        await self._update(TaskRow.id.in_(task_ids), enqueued_at=now)
        return task_ids

    async def is_read(self, task_id: UUID) -> bool:
        """Whether it is unfinished, and every page has its outcome: its results can be written.

        Of those that finish pages at the same time, the last one is told so.
        """
        query = select(TaskRow.id).where(TaskRow.id == task_id, IS_READ)
        return await self._session.scalar(query) is not None

    async def backlog(self) -> Backlog:
        is_queued = TaskRow.status == TaskStatus.QUEUED
        query = select(
            func.count().filter(is_queued),
            func.count().filter(~is_queued),
            func.sum(TaskRow.num_pages - TaskRow.pages_done),
            func.min(TaskRow.queued_at).filter(is_queued),
        ).where(TaskRow.status.in_(UNFINISHED))
        num_queued, num_running, num_pages, oldest = (await self._session.execute(query)).one()
        return Backlog(num_queued, num_running, num_pages or 0, oldest)

    async def list_finished_before(self, instant: datetime, *, limit: int) -> list[UUID]:
        """The tasks whose time to be kept is over."""
        query = select(TaskRow.id).where(TaskRow.finished_at < instant)
        return list(await self._session.scalars(query.order_by(TaskRow.finished_at).limit(limit)))

    async def _update(self, condition: ColumnElement[bool], **values: Any) -> bool:
        statement = update(TaskRow).where(condition).values(**values)
        return await changed(self._session, statement)
