"""`folio migrate`: the database's tables, made or brought up to date."""

import asyncio

import typer
from sqlalchemy import make_url

from folio.cli.serve import load_settings
from folio.config import Settings
from folio.db import Database
from folio.db.migrate import find_schema_problem
from folio.db.migrate import migrate as migrate_database
from folio.errors import StorageUnavailableError


def migrate() -> None:
    """Exit status 1, with the reason, where the database cannot be reached."""
    settings = load_settings()
    try:
        was_behind = asyncio.run(_migrate(settings))
    except StorageUnavailableError as error:
        print(f"folio: {error.message}")
        raise typer.Exit(1) from error
    name = make_url(settings.database_url).render_as_string(hide_password=True)
    print(f"{name}: {'the tables are new now' if was_behind else 'the tables were up to date'}")


async def _migrate(settings: Settings) -> bool:
    async with Database(settings.database_url, answer_timeout_seconds=None) as database:
        problem = await find_schema_problem(database)
        await migrate_database(database)
    return problem is not None
