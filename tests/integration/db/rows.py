"""Tasks and pages for the tests of the repositories."""

import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

from folio.db import Database, NewTask, PageOutcome, PageRepository, PageStatus, TaskKind
from folio.db.pages import PageClaim
from folio.db.tables import PageRow, TaskRow
from folio.db.tasks import TaskRepository

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def seconds(number: float) -> datetime:
    """An instant so long after NOW."""
    return NOW + timedelta(seconds=number)


async def add_task(database: Database, num_pages: int = 0, queued_at: datetime = NOW) -> UUID:
    task_id = uuid.uuid4()
    async with database.transaction() as session:
        TaskRepository(session).add(
            NewTask(task_id, TaskKind.PDF, "a.pdf", {"dpi": 144}, queued_at)
        )
        await session.flush()
        if num_pages:
            await PageRepository(session).add(task_id, range(1, num_pages + 1))
    return task_id


async def get_task(database: Database, task_id: UUID) -> TaskRow:
    async with database.reading() as session:
        task = await TaskRepository(session).get(task_id)
    assert task is not None
    return task


async def get_page(database: Database, task_id: UUID, page_number: int) -> PageRow:
    async with database.reading() as session:
        page = await PageRepository(session).get(task_id, page_number)
    assert page is not None
    return page


async def claim(
    database: Database, task_id: UUID, owner: str = "a", *, now: datetime = NOW, limit: int = 1
) -> list[PageClaim]:
    async with database.transaction() as session:
        return await PageRepository(session).claim(
            task_id, owner, now=now, expires_at=now + LEASE, max_claims=3, limit=limit
        )


async def finish(database: Database, page: PageClaim, status: PageStatus = PageStatus.OK) -> bool:
    outcome = PageOutcome(status, seconds(1), seconds(3), text=f"by {page.owner}")
    async with database.transaction() as session:
        return await PageRepository(session).finish(page, outcome) is not None
