"""Brings the database to the newest schema, as `alembic upgrade head` does."""

import sysconfig
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from folio.db.session import Database


def alembic_config() -> Config:
    """The configuration in backend/alembic.ini: beside the package in a checkout, among its data
    where it was installed from a wheel."""
    in_checkout = Path(__file__).resolve().parents[2] / "alembic.ini"
    in_data = Path(sysconfig.get_path("data")) / "share" / "folio" / "alembic.ini"
    return Config(in_checkout if in_checkout.exists() else in_data)


async def migrate(database: Database) -> None:
    """Safe to run from several processes at once: the later ones find nothing to do.

    Raises StorageUnavailableError.
    """
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(_upgrade)


async def find_schema_problem(database: Database) -> str | None:
    """What the operator has to do before the tables can be used; None where they are right.

    Raises StorageUnavailableError.
    """
    async with database.reading() as session:
        current = await session.run_sync(_current_revision)
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if current == newest:
        return None
    state = "has no tables yet" if current is None else f"has tables of version {current}"
    return f"The database {state}; this Folio wants version {newest}. Run `folio migrate`."


def _current_revision(session: Session) -> str | None:
    return MigrationContext.configure(session.connection()).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
