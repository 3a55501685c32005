"""A service that is about to end takes nothing new in, and still answers."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from folio.engine.fake import FakeEngine
from tests.pages import encode, print_page


@pytest.mark.parametrize("path", ["/api/ocr/image", "/api/ocr/pdf", "/internal/infer"])
async def test_nothing_new_is_taken_in(app: FastAPI, client: httpx.AsyncClient, path: str) -> None:
    app.state.intake.close()
    answer = await client.post(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_inside_goes_on_and_is_counted(
    app: FastAPI, client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.seconds_per_token = 0.01
    files = {"image": encode(print_page())}
    reading = asyncio.create_task(client.post("/api/ocr/image", files=files))
    await engine.was_asked.wait()
    app.state.intake.close()
    assert app.state.intake.num_inside == 1
    assert (await reading).status_code == 200
    assert app.state.intake.num_inside == 0


async def test_tasks_can_be_looked_up_and_health_says_what_is_going_on(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    await asyncio.sleep(0)
    app.state.intake.close()
    assert (await client.get("/api/tasks")).status_code == 200
    for path in ("/health", "/readyz"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
        assert "shutting down" in answer.json()["reason"]
    assert (await client.get("/livez")).status_code == 200
