"""Each test has a database of its own, copied from one that the migrations have made."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from folio.db import Database
from folio.db.migrate import migrate
from tests.postgres import execute, running_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server, without a database's name."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a database that the migrations have made."""
    name = f"folio_template_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {name}")
    asyncio.run(migrate_at(f"{postgres_url}/{name}"))
    yield name
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(migrate_at(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'folder' / 'folio.db'}"
        return
    yield from make_postgres_database(request.getfixturevalue("postgres_url"), "template1")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the newest schema."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "folio.db")
        yield f"sqlite:///{tmp_path / 'folio.db'}"
        return
    yield from make_postgres_database(
        request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_template")
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


def make_postgres_database(server_url: str, template: str) -> Iterator[str]:
    name = f"folio_test_{uuid.uuid4().hex}"
    execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server_url}/{name}"
    execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def migrate_at(url: str) -> None:
    async with Database(url) as database:
        await migrate(database)
