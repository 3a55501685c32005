"""Brings the database to the newest schema, as `alembic upgrade head` does."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from folio.db.session import Database


def alembic_config() -> Config:
    """The configuration in backend/alembic.ini, beside the package."""
    return Config(Path(__file__).resolve().parents[2] / "alembic.ini")


async def migrate(database: Database) -> None:
    """Safe to run from several processes at once: the later ones find nothing to do.

    Raises StorageUnavailableError.
    """
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
