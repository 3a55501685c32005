"""All that one worker process holds, in one query each: the heartbeat's side of the leases."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db.records import UNFINISHED, PageStatus
from folio.db.tables import PageRow, TaskRow

HeldPage = tuple[UUID, int, int]
"""A task, a page number, and the number of the claim."""


class LeaseRepository:
    """Leases by their owner. Works within the caller's transaction and never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def unfinished(self, task_ids: Collection[UUID]) -> set[UUID]:
        """Those that were neither ended nor deleted."""
        query = select(TaskRow.id).where(TaskRow.id.in_(task_ids), TaskRow.status.in_(UNFINISHED))
        return set(await self._session.scalars(query))

    async def extend_pages(
        self, owner: str, task_ids: Collection[UUID], *, expires_at: datetime
    ) -> set[HeldPage]:
        """Hold the owner's pages of these tasks for longer. Gives those that are still its own."""
        statement = (
            update(PageRow)
            .where(
                PageRow.task_id.in_(task_ids),
                PageRow.status == PageStatus.PENDING,
                PageRow.lease_owner == owner,
            )
            .values(lease_expires_at=expires_at)
            .returning(PageRow.task_id, PageRow.page_number, PageRow.num_claims)
            .execution_options(synchronize_session=False)
        )
        rows = await self._session.execute(statement)
        return {(task_id, number, num_claims) for task_id, number, num_claims in rows}

    async def extend_tasks(
        self, owner: str, task_ids: Collection[UUID], *, expires_at: datetime
    ) -> None:
        """Hold the owner's leases on these tasks for longer."""
        await self._session.execute(
            update(TaskRow)
            .where(TaskRow.id.in_(task_ids), TaskRow.lease_owner == owner)
            .values(lease_expires_at=expires_at)
            .execution_options(synchronize_session=False)
        )

    async def release_all(self, owner: str) -> None:
        """Give back what a worker that stops still holds. It does not count as a try."""
        await self._let_go(PageRow.lease_owner == owner, num_claims=PageRow.num_claims - 1)
        await self._let_go_of_tasks(TaskRow.lease_owner == owner)

    async def free(self, owner_prefix: str) -> None:
        """Let go of what dead owners held. Their claims of pages count as tries."""
        await self._let_go(PageRow.lease_owner.startswith(owner_prefix, autoescape=True))
        await self._let_go_of_tasks(TaskRow.lease_owner.startswith(owner_prefix, autoescape=True))

    async def _let_go(self, condition: ColumnElement[bool], **values: Any) -> None:
        unfinished = select(TaskRow.id).where(TaskRow.status.in_(UNFINISHED))
        await self._session.execute(
            update(PageRow)
            .where(PageRow.task_id.in_(unfinished), PageRow.status == PageStatus.PENDING, condition)
            .values(lease_owner=None, lease_expires_at=None, **values)
            .execution_options(synchronize_session=False)
        )

    async def _let_go_of_tasks(self, condition: ColumnElement[bool]) -> None:
        await self._session.execute(
            update(TaskRow)
            .where(TaskRow.status.in_(UNFINISHED), condition)
            .values(lease_owner=None, lease_expires_at=None)
            .execution_options(synchronize_session=False)
        )
