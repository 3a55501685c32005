"""Runs the migrations: on the caller's connection where it gave one, else on DATABASE_URL's."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from folio.config import Settings
from folio.db.session import create_db_engine
from folio.db.tables import Base

# Any number will do; two that migrate at once must have the same.
_POSTGRES_LOCK = 7_361_001


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
        context.run_migrations()


async def run_on_own_connection() -> None:
    db_engine = create_db_engine(Settings().database_url)
    try:
        async with db_engine.execution_options(folio_writes=True).begin() as connection:
            await connection.run_sync(run)
    finally:
        await db_engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_on_own_connection())
else:
    run(given)
