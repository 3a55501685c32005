"""/health says starting, healthy or unhealthy, with the reason, and is honest about the model."""

import asyncio

import httpx
import pytest

from folio.api.app import create_app
from folio.config import EngineSettings, Settings
from folio.engine.fake import FakeEngine


async def test_a_loaded_model_is_healthy(client: httpx.AsyncClient) -> None:
    await asyncio.sleep(0)
    answer = await client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "healthy"
    assert body["model_loaded"] is True
    assert body["inference_engine"] == "vllm_direct"


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
