"""The time by which leases are told. Machines' clocks differ; the database has one."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db.column_types import UtcDateTime


async def read_clock(session: AsyncSession) -> datetime:
    """The database's time now. SQLite's is this machine's."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    clock = func.clock_timestamp(type_=UtcDateTime)
    return (await session.scalars(select(clock))).one()
