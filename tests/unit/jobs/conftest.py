"""A job service on SQLite and the local disk, with a queue that only remembers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from folio.db import Database
from folio.db.migrate import migrate
from folio.engine.running import RunningRequests
from folio.jobs.service import JobService
from folio.storage import LocalStorage


@dataclass
class RememberingQueue:
    """A queue without workers."""

    enqueued: list[UUID] = field(default_factory=list)

    async def enqueue(self, task_id: UUID) -> None:
        self.enqueued.append(task_id)

    async def ping(self) -> bool:
        return True


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'folio.db'}") as database:
        await migrate(database)
        yield database


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "tasks")


@pytest.fixture
def queue() -> RememberingQueue:
    return RememberingQueue()


@pytest.fixture
def running() -> RunningRequests:
    return RunningRequests()


@pytest.fixture
async def jobs(
    database: Database, storage: LocalStorage, queue: RememberingQueue, running: RunningRequests
) -> AsyncIterator[JobService]:
    service = JobService(database, storage, queue, running)
    yield service
    await service.close()
