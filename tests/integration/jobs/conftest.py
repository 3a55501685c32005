"""Houses for tests, each with a database and a Redis of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.conftest import make_postgres_database
from tests.integration.jobs.house import House
from tests.redis import RedisServer, running_redis
from tests.unit.documents_pdf.pdfs import write_pdf

MakeHouse = Callable[..., House]


@pytest.fixture
def database_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    yield from make_postgres_database(postgres_url, postgres_template)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def make_house(
    tmp_path: Path, database_url: str, redis: RedisServer
) -> AsyncIterator[MakeHouse]:
    """A house on Postgres and Redis. Settings by their names."""
    async with AsyncExitStack() as stack:

        def make(**settings: str) -> House:
            house = House(
                tmp_path, database_url=database_url, redis_url=redis.url, settings=settings
            )
            stack.push_async_callback(house.close)
            return house

        yield make


@pytest.fixture
async def make_embedded_house(tmp_path: Path) -> AsyncIterator[MakeHouse]:
    """A house on embedded parts."""
    async with AsyncExitStack() as stack:

        def make(**settings: str) -> House:
            house = House(tmp_path, database_url=None, redis_url=None, settings=settings)
            stack.push_async_callback(house.close)
            return house

        yield make


@pytest.fixture(scope="session")
def pdf_of_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pdf(tmp_path_factory.mktemp("pdf") / "one.pdf", 1)


@pytest.fixture(scope="session")
def pdf_of_30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pdf(tmp_path_factory.mktemp("pdf") / "thirty.pdf", 30)


@pytest.fixture(scope="session")
def pdf_of_50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pdf(tmp_path_factory.mktemp("pdf") / "fifty.pdf", 50)


@pytest.fixture(scope="session")
def pdf_of_60(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pdf(tmp_path_factory.mktemp("pdf") / "sixty.pdf", 60)
