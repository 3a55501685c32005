"""What is slow to start, once for all integration tests: the service with the small model (half a
minute), and a Postgres."""

import asyncio
import uuid
from collections.abc import Iterator

import httpx
import pytest

from folio.db import Database
from folio.db.migrate import migrate
from tests.postgres import execute, running_postgres
from tests.service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        service.wait_for_status("healthy")
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield client


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


async def migrate_at(url: str) -> None:
    async with Database(url) as database:
        await migrate(database)
