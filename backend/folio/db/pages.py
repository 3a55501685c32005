"""Pages: every query of them but the heartbeat's, which are in `leases`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from folio.db.records import PageOutcome, PageStatus, duration_ms
from folio.db.statements import changed, execute_update, is_free
from folio.db.tables import PageRow, TaskRow
from folio.db.tasks import IS_READ


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
    .returning(IS_READ)
)


class PageRepository:
    """Pages: claimed by one worker at a time, and finished once.

    Works within the caller's transaction and never commits. Times come from the caller: those of
    leases by read_clock().
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, task_id: UUID, page_numbers: Sequence[int]) -> bool:
        """Pending pages, once per task: False, and nothing changes, where there are pages."""
        first = update(TaskRow).where(TaskRow.id == task_id, TaskRow.num_pages.is_(None))
        if not await changed(self._session, first.values(num_pages=len(page_numbers))):
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
            is_free(PageRow.lease_expires_at, now),
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
        result = await self._session.execute(
            _FINISH, {**finished_values(outcome), **_of_claim(claim)}
        )
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
            is_free(PageRow.lease_expires_at, now),
            PageRow.num_claims >= max_claims,
        )
        num_failed = await execute_update(
            self._session, update(PageRow).where(condition).values(**finished_values(outcome))
        )
        await self._count(task_id, num_failed, num_failed=num_failed)
        return num_failed

    async def _count(self, task_id: UUID, num_done: int, *, num_failed: int) -> bool:
        """Whether the task is read now: see TaskRepository.is_read()."""
        numbers = {"of_task": task_id, "num_done": num_done, "num_failed": num_failed}
        return bool((await self._session.execute(_COUNT, numbers)).scalar())

    async def _update(self, condition: ColumnElement[bool], **values: Any) -> bool:
        return await changed(self._session, update(PageRow).where(condition).values(**values))


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


def finished_values(outcome: PageOutcome) -> dict[str, Any]:
    # Not asdict(), which copies every block of the page.
    return {
        **{each.name: getattr(outcome, each.name) for each in fields(outcome)},
        "duration_ms": duration_ms(outcome.started_at, outcome.finished_at),
        "lease_owner": None,
        "lease_expires_at": None,
    }
