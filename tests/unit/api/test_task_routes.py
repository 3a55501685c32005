"""/api/tasks: looking up, listing, and image requests among the tasks."""

import asyncio
from typing import NoReturn

import httpx
import pytest
from fastapi import FastAPI

from folio.engine.fake import FakeEngine
from folio.errors import EngineOverloadedError, StorageUnavailableError
from tests.pages import encode, print_page
from tests.unit.api.conftest import impatient

PAGE = encode(print_page(size=(500, 400)))
NO_TASK = "00000000-0000-4000-8000-000000000000"


async def post_image(client: httpx.AsyncClient, data: bytes = PAGE) -> httpx.Response:
    return await client.post("/api/ocr/image", files={"image": ("Zürich.png", data)})


@pytest.mark.parametrize("task_id", [NO_TASK, "nonsense", "1", "%00", "..%2f.."])
@pytest.mark.parametrize("path", ["", "/events", "/pages", "/result.md", "/pages/1/image"])
async def test_an_unknown_task_is_a_404(client: httpx.AsyncClient, task_id: str, path: str) -> None:
    answer = await client.get(f"/api/tasks/{task_id}{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("task_not_found", "not_found")


async def test_an_unknown_task_cannot_be_deleted(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/api/tasks/nonsense")
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")


async def test_an_image_request_is_a_task_that_has_ended(client: httpx.AsyncClient) -> None:
    page = (await post_image(client)).json()
    task = (await client.get(f"/api/tasks/{page['task_id']}")).json()
    assert (task["kind"], task["status"], task["filename"]) == ("image", "succeeded", "Zürich.png")
    assert task["progress"]["pages_done"] == 1
    assert task["timing"]["queued_at"] == page["timing"]["queued_at"]
    assert task["timing"]["started_at"] == page["timing"]["started_at"]
    for url in task["result"].values():
        assert (await client.get(url)).status_code == 200
    document = (await client.get(task["result"]["json_url"])).json()
    assert document["pages"][0]["raw_text"] == page["raw_text"]
    (only,) = (await client.get(f"/api/tasks/{page['task_id']}/pages")).json()["pages"]
    assert only["blocks"] == page["blocks"]


async def test_a_failed_image_request_is_a_failed_task(client: httpx.AsyncClient) -> None:
    await post_image(client, PAGE[:-200])
    (task,) = (await client.get("/api/tasks")).json()["tasks"]
    assert (task["kind"], task["status"]) == ("image", "failed")
    assert task["error"]["code"] == "corrupt_image"
    assert task["progress"]["pages_failed"] == 1


@impatient
async def test_a_page_that_takes_too_long_is_a_failed_task(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.1
    await post_image(client)
    (task,) = (await client.get("/api/tasks?status=failed")).json()["tasks"]
    assert task["error"]["code"] == "engine_timeout"


async def test_a_client_that_leaves_is_a_canceled_task(
    app: FastAPI, client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.05
    work = asyncio.create_task(post_image(client))
    await engine.was_asked.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    (task,) = (await client.get("/api/tasks")).json()["tasks"]
    assert (task["kind"], task["status"], task["error"]) == ("image", "canceled", None)


async def test_requests_that_a_full_queue_turned_away_are_no_tasks(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.error = EngineOverloadedError("Full. Come back later.", retry_after_seconds=17)
    assert (await post_image(client)).status_code == 429
    assert (await client.get("/api/tasks")).json()["tasks"] == []


async def test_a_database_that_goes_away_costs_an_image_nothing(
    app: FastAPI, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def go_away() -> NoReturn:
        raise StorageUnavailableError("The server is down.")

    app.state.job_parts.database.transaction = go_away
    assert (await post_image(client)).status_code == 200
    await app.state.jobs.close()
    assert "The server is down." in caplog.text


async def test_a_listing_goes_on_where_it_ended(client: httpx.AsyncClient) -> None:
    task_ids = [(await post_image(client)).json()["task_id"] for _ in range(5)]
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        listing = (await client.get("/api/tasks", params=query)).json()
        seen += [task["task_id"] for task in listing["tasks"]]
        if listing["next_cursor"] is None:
            break
        query["cursor"] = listing["next_cursor"]
    assert seen == task_ids[::-1]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 422, "validation_error"),
        ("limit=101", 422, "validation_error"),
        ("status=asleep", 422, "validation_error"),
        ("cursor=nonsense", 400, "invalid_input"),
    ],
)
async def test_a_wrong_listing_is_explained(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await client.get(f"/api/tasks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "path",
    [
        "files/images/../../document.md",
        "files/images/page-0001-figure-1.jpg%00",
        "files/upload/x",
        "files/pages/..%2f..%2ffolio.db",
        "files/images/page-0001-figure-1.jpg",
    ],
)
async def test_only_pictures_that_were_stored_are_served(
    client: httpx.AsyncClient, path: str
) -> None:
    task_id = (await post_image(client)).json()["task_id"]
    assert (await client.get(f"/api/tasks/{task_id}/{path}")).status_code == 404


async def test_every_call_and_error_is_documented(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    calls = {
        f"{method} {path}": call
        for path, methods in paths.items()
        for method, call in methods.items()
        if path.startswith("/api")
    }
    assert {
        "post /api/ocr/pdf",
        "get /api/tasks",
        "get /api/tasks/{task_id}",
        "delete /api/tasks/{task_id}",
        "get /api/tasks/{task_id}/result.zip",
        "get /api/tasks/{task_id}/events",
    } <= set(calls)
    for name, call in calls.items():
        assert call["description"], name
        errors = {code: call["responses"][code] for code in call["responses"] if code >= "400"}
        assert errors, name
        for error in errors.values():
            assert list(error["content"]) == ["application/problem+json"], name
