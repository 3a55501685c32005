"""All that works on documents, in real processes: a queue, a database, a service, workers."""

import asyncio
import json
import os
import re
import sys
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

import httpx

from folio.config import JobSettings, Settings
from folio.db import Database, NewTask, PageRepository, TaskKind, TaskRepository, TaskRow
from folio.db.records import UNFINISHED
from folio.db.tables import PageRow
from folio.jobs.celery_app import make_celery
from folio.jobs.celery_queue import CeleryQueue
from folio.jobs.clock import now
from folio.jobs.keys import ResultKind, result_key, upload_key
from folio.storage import LocalStorage
from tests.postgres import free_port
from tests.programs import Program, eventually

FOLIO = Path(sys.executable).with_name("folio")
CHECKOUT = Path(__file__).resolve().parents[3]
FAKE_SERVICE = "tests.integration.jobs.fake_service"

TIME_OR_ID = re.compile(r"timing|_at$|duration|task_id")

# Short, so that what is lost is found within a test's patience.
QUICK = {
    "LEASE_SECONDS": "2",
    "REAPER_INTERVAL_SECONDS": "0.5",
    "PAGES_PER_RANGE": "4",
    "MAX_PAGES_IN_FLIGHT": "4",
    "RENDER_PROCESSES": "1",
}


@dataclass(frozen=True)
class Call:
    """What the engine said: "begin", "end" or "abort" of a page, and when."""

    event: str
    task_id: UUID
    page_number: int
    at: float

    @classmethod
    def parse(cls, line: str) -> Self:
        event, request_id, at = line.split()
        task_id, page_number = request_id.split(":")[:2]
        return cls(event, UUID(task_id), int(page_number), float(at))


class House:
    """The programs and their shared parts. Without `redis_url` the service does all the work."""

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str | None,
        redis_url: str | None,
        settings: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.port = free_port()
        self.storage = LocalStorage(folder / "tasks")
        self.database = Database(database_url or f"sqlite:///{folder / 'folio.db'}")
        self.environment = QUICK | {
            "PORT": str(self.port),
            "DATA_DIR": str(folder),
            "INTERNAL_API_TOKEN": "secret",
            "WORKER_REMOTE_INFER_URL": self.url,
            "CALLS_LOG": str(folder / "calls.log"),
            "FAKE_TROUBLE_FILE": str(folder / "trouble"),
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
        }
        self.environment |= {"DATABASE_URL": database_url} if database_url else {}
        self.environment |= {"CELERY_BROKER_URL": redis_url} if redis_url else {}
        self.environment |= settings
        self.service = self._program("service", [sys.executable, "-m", FAKE_SERVICE])
        self.workers: list[Program] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start_service(self, *, status_code: int = 200) -> None:
        """Start it, and wait until its health is answered so."""
        self.service.start()
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                try:
                    answer = await client.get(f"{self.url}/health")
                except httpx.TransportError:
                    pass
                else:
                    if answer.status_code == status_code:
                        return
                await asyncio.sleep(0.1)
        raise AssertionError(f"the service does not start:\n{self.service.log()}")

    def start_worker(self, *arguments: str) -> Program:
        worker = self._program(f"worker-{len(self.workers)}", [FOLIO, "worker", *arguments])
        worker.start()
        self.workers.append(worker)
        return worker

    async def close(self) -> None:
        for program in (*self.workers, self.service):
            if program.process is not None and program.process.poll() is None:
                program.kill()
        await self.database.close()

    async def wait_for_workers(self) -> None:
        """Until all of them take tasks."""
        await eventually(lambda: all("is ready" in worker.log() for worker in self.workers))

    async def submit(
        self, pdf: Path, *, options: Mapping[str, object] | None = None, enqueue: bool = True
    ) -> UUID:
        """As the service does it: file, row, commit, queue."""
        task_id = uuid.uuid4()

        async def upload():
            yield await asyncio.to_thread(pdf.read_bytes)

        await self.storage.write(upload_key(task_id), upload())
        async with self.database.transaction() as session:
            TaskRepository(session).add(
                NewTask(task_id, TaskKind.PDF, pdf.name, dict(options or {}), now())
            )
        if enqueue:
            await self.enqueue(task_id)
        return task_id

    async def enqueue(self, task_id: UUID) -> None:
        if self.redis_url is None:
            async with httpx.AsyncClient() as client:
                (await client.post(f"{self.url}/enqueue/{task_id}")).raise_for_status()
            return
        queue = CeleryQueue(
            make_celery(Settings(jobs=JobSettings(celery_broker_url=self.redis_url)))
        )
        await queue.enqueue(task_id)
        queue.close()

    async def task(self, task_id: UUID) -> TaskRow:
        async with self.database.reading() as session:
            task = await TaskRepository(session).get(task_id)
        assert task is not None
        return task

    async def pages(self, task_id: UUID) -> list[PageRow]:
        async with self.database.reading() as session:
            return await PageRepository(session).list_range(task_id, limit=5000)

    async def wait_for_end(
        self, task_id: UUID, *, seconds: float = 60, pause_seconds: float = 0.05
    ) -> TaskRow:
        deadline = time.monotonic() + seconds
        while (task := await self.task(task_id)).status in UNFINISHED:
            assert time.monotonic() < deadline, f"{task.pages_done} pages done\n{self.logs()}"
            await asyncio.sleep(pause_seconds)
        return task

    async def wait_for_pages(self, task_id: UUID, number: int, *, seconds: float = 60) -> None:
        """Until so many pages are done."""
        deadline = time.monotonic() + seconds
        while (task := await self.task(task_id)).pages_done < number:
            assert time.monotonic() < deadline, f"{task.pages_done} pages done\n{self.logs()}"
            await asyncio.sleep(0.02)

    def calls(self, event: str | None = None) -> list[Call]:
        """What the engine began, ended and aborted, in its order."""
        log = self.folder / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        calls = [Call.parse(line) for line in lines]
        return [call for call in calls if event in (None, call.event)]

    @property
    def num_running(self) -> int:
        """Requests that the engine works on now."""
        return 2 * len(self.calls("begin")) - len(self.calls())

    def set_trouble(self, trouble: str) -> None:
        (self.folder / "trouble").write_text(trouble)

    def logs(self) -> str:
        programs = [self.service, *self.workers]
        return "\n".join(f"--- {program.log_path.name}\n{program.log()}" for program in programs)

    def _program(self, name: str, command: list[object]) -> Program:
        return Program(command, log_path=self.folder / f"{name}.log", environment=self.environment)

    async def results(self, task_id: UUID) -> dict[str, object]:
        """The files in the ZIP by name, without what differs from run to run: times and ids."""
        async with self.storage.open_local(result_key(task_id, ResultKind.ZIP)) as path:
            with zipfile.ZipFile(path) as archive:
                contents = {name: archive.read(name) for name in archive.namelist()}
        document = json.loads(contents["document.json"])
        return contents | {"document.json": without_times(document)}


def without_times(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: without_times(item) for key, item in value.items() if not TIME_OR_ID.search(key)
        }
    return [without_times(item) for item in value] if isinstance(value, list) else value
