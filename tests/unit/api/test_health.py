"""/health says starting, healthy or unhealthy, with the reason, and is honest about the model."""

import asyncio
import socket
import time
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from folio.api.app import create_app
from folio.config import EngineSettings, Settings
from folio.db import Database
from folio.engine.fake import FakeEngine
from folio.engine.replicas import ReplicatedEngine
from folio.jobs.parts import JobParts
from folio.jobs.readiness import JobReadiness
from folio.storage import LocalStorage
from tests.metrics import Samples
from tests.pages import encode, print_page


async def test_a_loaded_model_is_healthy(client: httpx.AsyncClient) -> None:
    await asyncio.sleep(0)
    answer = await client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "healthy"
    assert body["model_loaded"] is True
    assert body["inference_engine"] == "vllm_direct"


async def test_one_lost_engine_of_several_is_told_by_a_service_that_reads_on() -> None:
    fakes = [FakeEngine(), FakeEngine()]
    app = create_app(Settings(), ReplicatedEngine(fakes))
    await app.state.engine.start()
    fakes[1].die("The engine core has died.")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://folio"
    ) as client:
        answer = await client.get("/health")
        metrics = Samples.parse((await client.get("/metrics")).text)
    body = answer.json()
    assert (body["model_loaded"], body["engines"]) == (True, ["healthy", "unhealthy"])
    assert "1 of 2 engines are healthy. Engine 1: The engine core has died." in body["reason"]
    assert metrics['folio_engines{state="healthy"}'] == 1
    assert metrics['folio_engines{state="unhealthy"}'] == 1


async def test_a_model_that_loads_is_starting() -> None:
    app = create_app(Settings(), FakeEngine(start_seconds=60))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://folio"
    ) as client:
        answer = await client.get("/health")
        alive = await client.get("/livez")
        ready = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "starting")
    assert alive.status_code == 200
    assert ready.status_code == 503


async def test_a_dead_engine_is_unhealthy_and_says_why(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.die("The engine core has died.")
    answer = await client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["reason"] == "The engine core has died."


async def test_the_reason_has_a_code_for_programs(app: FastAPI, client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json()["reason_code"] is None
    app.state.job_parts.database_problem = "The database has no tables yet. Run `folio migrate`."
    assert (await client.get("/health")).json()["reason_code"] == "database_unavailable"
    app.state.job_parts.database_problem = None
    app.state.intake.close()
    assert (await client.get("/health")).json()["reason_code"] == "shutting_down"


@pytest.mark.parametrize(("model_path", "is_told"), [(None, True), ("/models/deepseek", False)])
async def test_the_embedded_model_is_told_for_what_it_is(
    model_path: str | None, is_told: bool
) -> None:
    settings = Settings(engine=EngineSettings(model_path=model_path))
    app = create_app(settings, FakeEngine())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://folio"
    ) as client:
        note = (await client.get("/health")).json()["model_note"]
    assert (note is not None and "small model" in note) == is_told


@pytest.mark.alone
async def test_an_unreachable_database_is_unhealthy_and_makes_nobody_wait(tmp_path: Path) -> None:
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://folio@127.0.0.1:{silent.getsockname()[1]}/folio"
        app = create_app(Settings(), FakeEngine(start_seconds=60))
        parts = JobParts(Database(url), LocalStorage(tmp_path), AnsweringQueue())
        app.state.job_readiness = JobReadiness(parts)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://folio"
        ) as client:
            began = time.monotonic()
            answers = await asyncio.gather(*(client.get("/health") for _ in range(5)))
            assert time.monotonic() - began < 1.8
        for answer in answers:
            assert answer.status_code == 503
            assert "DATABASE_URL" in answer.json()["reason"]
        await app.state.job_readiness.close()
        await parts.database.close()


async def test_a_lost_database_is_told_and_images_are_read_all_the_same(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    parts = app.state.job_parts
    parts.database_problem = "The database has no tables yet. Run `folio migrate`."
    health = await client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert (await client.get("/readyz")).status_code == 503
    assert "folio migrate" in health.json()["reason"]
    page = await client.post("/api/ocr/image", files={"image": encode(print_page())})
    assert page.status_code == 200
    tasks = await client.get("/api/tasks")
    assert (tasks.status_code, tasks.json()["code"]) == (503, "storage_unavailable")


class AnsweringQueue:
    async def enqueue(self, task_id: UUID) -> None: ...

    async def ping(self) -> bool:
        return True
