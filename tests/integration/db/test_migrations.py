import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db import Database

CHECKOUT = Path(__file__).parents[3]


def alembic(url: str, *arguments: str, folder: Path = CHECKOUT) -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("alembic"), *arguments],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


async def table_names(url: str) -> set[str]:
    def look(session: AsyncSession) -> set[str]:
        return set(inspect(session.connection()).get_table_names())

    async with Database(url) as database, database.reading() as session:
        return await session.run_sync(look)


def test_alembic_goes_up_is_clean_and_goes_down(empty_database_url: str) -> None:
    alembic(empty_database_url, "upgrade", "head")
    assert asyncio.run(table_names(empty_database_url)) >= {"tasks", "pages"}

    alembic(empty_database_url, "check")
    alembic(empty_database_url, "downgrade", "base")
    assert asyncio.run(table_names(empty_database_url)) == {"alembic_version"}

    alembic(empty_database_url, "upgrade", "head", folder=CHECKOUT / "backend")


def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: alembic(empty_database_url, "upgrade", "head"), range(3)))

    assert asyncio.run(table_names(empty_database_url)) >= {"tasks", "pages"}
