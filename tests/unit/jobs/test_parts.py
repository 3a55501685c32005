"""The service's own parts: how work begins and ends beside a database that comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from folio.config import ServerSettings, Settings
from folio.db import Database, LeaseRepository
from folio.engine.fake import FakeEngine
from folio.errors import StorageUnavailableError
from folio.jobs import parts as parts_module
from folio.jobs import reaper as reaper_module
from folio.jobs.embedded import EmbeddedWorker
from folio.jobs.parts import running_job_parts
from folio.jobs.reaper import Reaper

DOWN = StorageUnavailableError("The server is down.")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(server=ServerSettings(data_dir=tmp_path))


def render_children() -> set[int]:
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if "folio.documents.render_child" in command_line(child)
    }


def command_line(process: psutil.Process) -> list[str]:
    """Empty of one that has ended: this process may have children of other tests."""
    try:
        return process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return []


@pytest.mark.parametrize(
    ("kind", "method"), [(Reaper, "sweep"), (LeaseRepository, "free")], ids=["sweep", "free"]
)
async def test_work_begins_once_the_database_stays(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[Any],
    method: str,
) -> None:
    do = getattr(kind, method)
    is_done = asyncio.Event()
    tries = 0

    async def fail_first(*args: Any, **options: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise DOWN
        await do(*args, **options)
        is_done.set()

    monkeypatch.setattr(kind, method, fail_first)
    monkeypatch.setattr(parts_module, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(reaper_module, "_RETRY_SECONDS", 0.01)
    before = render_children()
    async with running_job_parts(settings, FakeEngine()):
        async with asyncio.timeout(20):
            await is_done.wait()

    assert "The server is down." in caplog.text
    assert render_children() == before


@pytest.mark.parametrize("lifetime", [0.0, 0.1, 0.5])
async def test_nothing_outlives_a_database_that_went_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, lifetime: float
) -> None:
    @asynccontextmanager
    async def go_away(database: Database) -> AsyncIterator[AsyncSession]:
        raise DOWN
        yield

    before = render_children()
    async with running_job_parts(settings, FakeEngine()):
        monkeypatch.setattr(Database, "transaction", go_away)
        await asyncio.sleep(lifetime)

    assert render_children() == before


async def test_celery_ends_even_where_the_worker_ends_badly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_stopped = asyncio.Event()
    stop = EmbeddedWorker.stop

    async def fail(leases: LeaseRepository, owner: str) -> None:
        raise RuntimeError("a bug")

    async def note(embedded: EmbeddedWorker) -> None:
        await stop(embedded)
        has_stopped.set()

    monkeypatch.setattr(LeaseRepository, "release_all", fail)
    monkeypatch.setattr(EmbeddedWorker, "stop", note)
    async with running_job_parts(settings, FakeEngine()):
        await asyncio.sleep(0.3)

    assert has_stopped.is_set()
