"""What the queries of tasks and of pages have in common."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession


def is_free(lease_expires_at: Any, now: datetime) -> ColumnElement[bool]:
    """Nobody holds it, or whoever does has been silent for too long."""
    return or_(lease_expires_at.is_(None), lease_expires_at <= now)


async def changed(session: AsyncSession, statement: Any) -> bool:
    """Whether the statement has changed any row."""
    return await execute_update(session, statement) > 0


async def execute_update(session: AsyncSession, statement: Any) -> int:
    """The number of rows that the statement has changed."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult), "an UPDATE or a DELETE"
    return result.rowcount
