"""What is slow to start, once for all integration tests: the service with the small model (half a
minute), on a Postgres and a Redis."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from folio.db import Database
from folio.db.migrate import migrate
from tests.postgres import execute, running_postgres
from tests.redis import running_redis
from tests.service import Service, running_service


@pytest.fixture(scope="session")
def service_settings(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, postgres_template: str
) -> Iterator[dict[str, str]]:
    """What the service and its workers share."""
    folder = tmp_path_factory.mktemp("service")
    database_urls = make_postgres_database(postgres_url, postgres_template)
    with running_redis(folder) as redis:
        yield {
            "DATA_DIR": str(folder),
            "DATABASE_URL": next(database_urls),
            "CELERY_BROKER_URL": redis.url,
            "INTERNAL_API_TOKEN": "a secret of both sides",
        }
    next(database_urls, None)


@pytest.fixture(scope="session")
def service(service_settings: dict[str, str]) -> Iterator[Service]:
    with running_service(Path(service_settings["DATA_DIR"]), **service_settings) as service:
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


def make_postgres_database(server_url: str, template: str) -> Iterator[str]:
    """The URL of a database like the template; gone when the iterator is asked again."""
    name = f"folio_test_{uuid.uuid4().hex}"
    execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server_url}/{name}"
    execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def migrate_at(url: str) -> None:
    async with Database(url) as database:
        await migrate(database)
