"""All queries. A repository works within the caller's transaction and never commits.

Times come from the caller: those of leases by read_clock().
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import delete as sql_delete
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from folio.db.cursor import Cursor
from folio.db.records import (
    UNFINISHED,
    Backlog,
    NewTask,
    PageOutcome,
    PageStatus,
    TaskError,
    TaskStatus,
    duration_ms,
)
from folio.db.tables import PageRow, TaskRow


@dataclass(frozen=True)
class TaskListing:
    """Tasks, newest first, and where the next ones begin (None at the end)."""

    tasks: list[TaskRow]
    next_cursor: str | None


@dataclass(frozen=True)
class PageClaim:
    """A page that a worker may work on. A later claim of the same page makes this one void."""

    task_id: UUID
    page_number: int
    owner: str
    num_claims: int


@dataclass(frozen=True)
class StoredPage:
    """A page whose outcome was stored. `is_last`: no page of the task is without one now."""

    is_last: bool


class TaskRepository:
    """Tasks: what state they are in, and who drives them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def add(self, task: NewTask) -> None:
        """A queued task."""
        self._session.add(
            TaskRow(**asdict(task), status=TaskStatus.QUEUED, enqueued_at=task.queued_at)
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
        return await _changed(self._session, sql_delete(TaskRow).where(TaskRow.id == task_id))

    async def lease(
        self, task_id: UUID, owner: str, *, now: datetime, expires_at: datetime
    ) -> bool:
        """Become the one who opens the document or writes the results, or stay it for longer."""
        return await self._update(
            and_(
                TaskRow.id == task_id,
                TaskRow.status.in_(UNFINISHED),
                or_(_is_free(TaskRow.lease_expires_at, now), TaskRow.lease_owner == owner),
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

        They count as enqueued now, so that two reapers do not take the same ones.
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
                TaskRow.enqueued_at < enqueued_before,
                _is_free(TaskRow.lease_expires_at, now),
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
        query = select(TaskRow.id).where(TaskRow.id == task_id, _IS_READ)
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
        return await _changed(self._session, statement)


_IS_READ = and_(TaskRow.status.in_(UNFINISHED), TaskRow.pages_done >= TaskRow.num_pages)

# Run for every page, so they are put together once: that takes longer than to run them.
_PAGES, _TASKS = cast(Table, PageRow.__table__), cast(Table, TaskRow.__table__)
_FINISH = update(_PAGES).where(
    _PAGES.c.task_id == bindparam("of_task"),
    _PAGES.c.page_number == bindparam("of_page"),
    _PAGES.c.status == PageStatus.PENDING,
    _PAGES.c.lease_owner == bindparam("of_owner"),
    _PAGES.c.num_claims == bindparam("of_claim"),
)
_COUNT = (
    update(_TASKS)
    .where(_TASKS.c.id == bindparam("of_task"))
    .values(
        pages_done=_TASKS.c.pages_done + bindparam("num_done"),
        pages_failed=_TASKS.c.pages_failed + bindparam("num_failed"),
    )
    .returning(_IS_READ)
)


class PageRepository:
    """Pages: claimed by one worker at a time, and finished once."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, task_id: UUID, page_numbers: Sequence[int]) -> bool:
        """Pending pages, once per task: False, and nothing changes, where there are pages."""
        first = update(TaskRow).where(TaskRow.id == task_id, TaskRow.num_pages.is_(None))
        if not await _changed(self._session, first.values(num_pages=len(page_numbers))):
            return False
        # As rows and not as objects, which would hold up the event loop: 2,000 for 100 ms.
        pending = {"task_id": task_id, "status": PageStatus.PENDING}
        await self._session.execute(
            insert(PageRow), [pending | {"page_number": number} for number in page_numbers]
        )
        return True

    async def get(self, task_id: UUID, page_number: int) -> PageRow | None:
        return await self._session.get(PageRow, (task_id, page_number), populate_existing=True)

    async def list_range(self, task_id: UUID, *, after: int = 0, limit: int = 100) -> list[PageRow]:
        """Pages behind this page number in ascending order: a long document goes in pieces."""
        query = select(PageRow).where(PageRow.task_id == task_id, PageRow.page_number > after)
        return list(await self._session.scalars(query.order_by(PageRow.page_number).limit(limit)))

    async def list_finished(self, task_id: UUID, *, after: int, limit: int) -> list[PageRow]:
        """As list_range, without the pages that have no outcome yet, and without raw attempts."""
        query = (
            select(PageRow)
            .where(
                PageRow.task_id == task_id,
                PageRow.page_number > after,
                PageRow.status != PageStatus.PENDING,
            )
            .options(defer(PageRow.raw_attempts, raiseload=True))
        )
        return list(await self._session.scalars(query.order_by(PageRow.page_number).limit(limit)))

    async def count_pending(self, task_id: UUID) -> int:
        query = select(func.count()).where(_is_pending(task_id))
        return await self._session.scalar(query) or 0

    async def claim(
        self,
        task_id: UUID,
        owner: str,
        *,
        now: datetime,
        expires_at: datetime,
        max_claims: int,
        limit: int,
        first: int = 1,
        last: int | None = None,
    ) -> list[PageClaim]:
        """Take up to `limit` pages from `first` to `last` that nobody holds, in ascending order.

        A page that was claimed `max_claims` times without an outcome is left: see fail_exhausted.
        """
        free = select(PageRow.page_number).where(
            _is_pending(task_id),
            _is_free(PageRow.lease_expires_at, now),
            PageRow.num_claims < max_claims,
            PageRow.page_number >= first,
        )
        if last is not None:
            free = free.where(PageRow.page_number <= last)
        # A CTE, which runs once: as a plain subquery, Postgres may run it anew for every row.
        chosen = free.order_by(PageRow.page_number).limit(limit).with_for_update(skip_locked=True)
        statement = (
            update(PageRow)
            .where(
                PageRow.task_id == task_id, PageRow.page_number.in_(select(chosen.cte("chosen")))
            )
            .values(
                lease_owner=owner, lease_expires_at=expires_at, num_claims=PageRow.num_claims + 1
            )
            .returning(PageRow.page_number, PageRow.num_claims)
            .execution_options(synchronize_session=False)
        )
        rows = (await self._session.execute(statement)).all()
        claims = [PageClaim(task_id, number, owner, count) for number, count in rows]
        return sorted(claims, key=lambda claim: claim.page_number)

    async def extend(self, claim: PageClaim, *, expires_at: datetime) -> bool:
        """The worker's heartbeat. False where the claim is void: the page is another's now."""
        return await self._update(_is_held(claim), lease_expires_at=expires_at)

    async def release(self, claim: PageClaim) -> bool:
        """Give a page back untouched, as a worker that stops does. It does not count as a try."""
        return await self._update(
            _is_held(claim),
            lease_owner=None,
            lease_expires_at=None,
            num_claims=PageRow.num_claims - 1,
        )

    async def abandon(self, claim: PageClaim) -> bool:
        """Give a page back as one that went wrong here: it counts as a try."""
        return await self._update(_is_held(claim), lease_owner=None, lease_expires_at=None)

    async def first_failure(self, task_id: UUID) -> PageRow | None:
        """The failed page of the lowest number."""
        query = select(PageRow).where(
            PageRow.task_id == task_id, PageRow.status == PageStatus.FAILED
        )
        return await self._session.scalar(query.order_by(PageRow.page_number).limit(1))

    async def last_finished_at(self, task_id: UUID) -> datetime | None:
        """When the latest of its pages got an outcome."""
        query = select(PageRow.finished_at).where(
            PageRow.task_id == task_id, PageRow.finished_at.is_not(None)
        )
        return await self._session.scalar(query.order_by(PageRow.finished_at.desc()).limit(1))

    async def finish(self, claim: PageClaim, outcome: PageOutcome) -> StoredPage | None:
        """Store a page's outcome and count it, once. None where the claim is void."""
        result = await self._session.execute(_FINISH, {**_finished(outcome), **_of_claim(claim)})
        assert isinstance(result, CursorResult), "an UPDATE"
        if result.rowcount == 0:
            return None
        num_failed = int(outcome.status is PageStatus.FAILED)
        return StoredPage(await self._count(claim.task_id, 1, num_failed=num_failed))

    async def fail_exhausted(
        self, task_id: UUID, *, now: datetime, max_claims: int, reason: str, reason_code: str
    ) -> int:
        """Give up the pages whose every worker died. Gives their number."""
        outcome = PageOutcome(PageStatus.FAILED, now, now, reason=reason, reason_code=reason_code)
        condition = and_(
            _is_pending(task_id),
            _is_free(PageRow.lease_expires_at, now),
            PageRow.num_claims >= max_claims,
        )
        num_failed = await _execute(
            self._session, update(PageRow).where(condition).values(**_finished(outcome))
        )
        await self._count(task_id, num_failed, num_failed=num_failed)
        return num_failed

    async def _count(self, task_id: UUID, num_done: int, *, num_failed: int) -> bool:
        """Whether the task is read now: see TaskRepository.is_read()."""
        numbers = {"of_task": task_id, "num_done": num_done, "num_failed": num_failed}
        return bool((await self._session.execute(_COUNT, numbers)).scalar())

    async def _update(self, condition: ColumnElement[bool], **values: Any) -> bool:
        return await _changed(self._session, update(PageRow).where(condition).values(**values))


def _is_pending(task_id: UUID) -> ColumnElement[bool]:
    return and_(PageRow.task_id == task_id, PageRow.status == PageStatus.PENDING)


def _is_held(claim: PageClaim) -> ColumnElement[bool]:
    return and_(
        _is_pending(claim.task_id),
        PageRow.page_number == claim.page_number,
        PageRow.lease_owner == claim.owner,
        PageRow.num_claims == claim.num_claims,
    )


def _of_claim(claim: PageClaim) -> dict[str, Any]:
    """As _FINISH asks for it: see _is_held()."""
    return {
        "of_task": claim.task_id,
        "of_page": claim.page_number,
        "of_owner": claim.owner,
        "of_claim": claim.num_claims,
    }


def _is_free(lease_expires_at: Any, now: datetime) -> ColumnElement[bool]:
    return or_(lease_expires_at.is_(None), lease_expires_at <= now)


def _finished(outcome: PageOutcome) -> dict[str, Any]:
    # Not asdict(), which copies every block of the page.
    return {
        **{each.name: getattr(outcome, each.name) for each in fields(outcome)},
        "duration_ms": duration_ms(outcome.started_at, outcome.finished_at),
        "lease_owner": None,
        "lease_expires_at": None,
    }


async def _changed(session: AsyncSession, statement: Any) -> bool:
    return await _execute(session, statement) > 0


async def _execute(session: AsyncSession, statement: Any) -> int:
    """The number of rows that the statement has changed."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult), "an UPDATE or a DELETE"
    return result.rowcount
