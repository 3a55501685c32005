"""POST /internal/infer: for those with the token only, errors as statuses, aborts at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from folio.api.app import create_app
from folio.config import JobSettings, LimitSettings, ServerSettings, Settings
from folio.engine.answers import decode_line
from folio.engine.base import GenerationRequest
from folio.engine.fake import FakeEngine
from folio.engine.wire import INFER_PATH, encode_request
from folio.errors import EngineNotReadyError, EngineOverloadedError, RequestCanceledError
from folio.preprocessing.resolution import Mode, resolve
from tests.pages import print_page
from tests.unit.api.conftest import impatient

TOKEN = "a long secret"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
PAGE = np.array(print_page(size=(500, 400)))


def make_body(page: Any = PAGE, request_id: str = "task-1:3:first") -> bytes:
    height, width = page.shape[:2]
    request = GenerationRequest(request_id, page, "<image>\nOCR", resolve(Mode.BASE, width, height))
    return b"".join(encode_request(request))


def make_app(
    engine: FakeEngine,
    folder: Path,
    token: str | None = TOKEN,
    request_timeout_seconds: float = 60.0,
) -> FastAPI:
    server = ServerSettings(data_dir=folder, internal_api_token=token)
    limits = LimitSettings(max_upload_bytes=1000, request_timeout_seconds=request_timeout_seconds)
    jobs = JobSettings(max_page_pixels=400_000)
    return create_app(Settings(server=server, limits=limits, jobs=jobs), engine)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(answer="a page of text")


@pytest.fixture
async def app(
    engine: FakeEngine, tmp_path: Path, request_timeout_seconds: float
) -> AsyncIterator[FastAPI]:
    app = make_app(engine, tmp_path, request_timeout_seconds=request_timeout_seconds)
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0)
        yield app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://folio")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def infer(client: httpx.AsyncClient, body: bytes | None = None) -> httpx.Response:
    return await client.post(INFER_PATH, content=body or make_body(), headers=AUTHORIZATION)


async def test_a_page_is_read(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    answer = await infer(client)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    output = decode_line(answer.content.splitlines()[-1])
    assert (output.text, output.finish_reason) == ("a page of text", "stop")
    (request,) = engine.requests
    np.testing.assert_array_equal(request.image, PAGE)
    assert request.request_id == "task-1:3:first"


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
async def test_without_the_token_nothing_is_read(
    client: httpx.AsyncClient, engine: FakeEngine, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await client.post(INFER_PATH, content=make_body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert engine.requests == []


async def test_a_token_of_bytes_that_are_no_ascii_is_wrong_and_no_crash(
    client: httpx.AsyncClient,
) -> None:
    headers = {b"Authorization": b"Bearer \xff\xe4"}
    answer = await client.post(INFER_PATH, content=make_body(), headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("token", [None, "", "  "])
@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer", "Bearer None", "Bearer   "])
async def test_an_empty_token_closes_the_call(
    engine: FakeEngine, tmp_path: Path, token: str | None, authorization: str
) -> None:
    async with client_of(make_app(engine, tmp_path, token)) as client:
        headers = {"Authorization": authorization}
        answer = await client.post(INFER_PATH, content=make_body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "INTERNAL_API_TOKEN" in answer.json()["detail"]


async def test_the_call_is_not_in_the_public_description(client: httpx.AsyncClient) -> None:
    assert "internal" not in (await client.get("/openapi.json")).text


@pytest.mark.parametrize("body", [b"nonsense", make_body()[:-1], make_body() + b"more"])
async def test_what_is_no_page_is_refused(
    client: httpx.AsyncClient, engine: FakeEngine, body: bytes
) -> None:
    answer = await infer(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert engine.requests == []


async def test_a_page_larger_than_an_upload_may_be_is_read(client: httpx.AsyncClient) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    assert (await infer(client, make_body(noise))).status_code == 200


async def test_a_body_beyond_the_largest_page_is_refused(client: httpx.AsyncClient) -> None:
    answer = await infer(client, bytes(3_000_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert "MAX_PAGE_PIXELS" in answer.json()["detail"]


async def test_a_page_of_too_many_pixels_is_refused(client: httpx.AsyncClient) -> None:
    answer = await infer(client, make_body(np.full((1000, 1000, 3), 255, np.uint8)))
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


async def test_a_full_engine_answers_429_before_anything_else(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.error = EngineOverloadedError("Full.", retry_after_seconds=7)
    answer = await infer(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_an_engine_that_is_not_ready_answers_503(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.die("dead")
    answer = await infer(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_not_ready")
    assert engine.requests == []


async def test_an_error_after_the_first_output_is_the_last_line(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.seconds_per_token = 0.02
    engine.error, engine.error_after_tokens = EngineNotReadyError("It died."), 2
    answer = await infer(client)
    assert answer.status_code == 200
    with pytest.raises(EngineNotReadyError, match="It died"):
        decode_line(answer.content.splitlines()[-1])


@impatient
async def test_a_page_that_takes_too_long_ends_with_a_timeout(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.seconds_per_token = 60
    answer = await infer(client)
    assert (answer.status_code, answer.json()["code"]) == (504, "engine_timeout")
    assert engine.num_running == 0


async def test_a_canceled_task_stops_its_page_before_the_first_output(
    app: FastAPI, client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.seconds_per_token = 0.4
    asking = asyncio.create_task(infer(client))
    await engine.was_asked.wait()
    assert app.state.running.cancel("task-1") == 1
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (409, "request_canceled")
    assert engine.aborted == ["task-1:3:first"]


async def test_a_canceled_task_stops_its_page_in_the_middle(
    app: FastAPI, client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.01
    asking = asyncio.create_task(infer(client))
    await engine.was_asked.wait()
    await asyncio.sleep(0.1)
    assert app.state.running.cancel("task-1") == 1
    with pytest.raises(RequestCanceledError):
        decode_line((await asking).content.splitlines()[-1])
    assert engine.num_running == 0


async def test_a_bug_before_the_first_output_is_an_internal_error(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    def fail(_request: object) -> str:
        raise ZeroDivisionError("secret detail")

    engine.answer = fail
    answer = await infer(client)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


async def leave(app: FastAPI, engine: FakeEngine, *, after_seconds: float) -> None:
    """Send a page, and go away some time after the engine has begun."""
    messages = [{"type": "http.request", "body": make_body(), "more_body": False}]

    async def receive() -> dict[str, object]:
        if messages:
            return messages.pop()
        await engine.was_asked.wait()
        await asyncio.sleep(after_seconds)
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": INFER_PATH,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
    }
    await asyncio.wait_for(app(scope, receive, send), 5)


@pytest.mark.parametrize("after_seconds", [0.0, 0.05])
async def test_a_client_that_leaves_aborts_its_page_at_once(
    app: FastAPI, engine: FakeEngine, after_seconds: float
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.02
    await leave(app, engine, after_seconds=after_seconds)
    assert len(engine.aborted) == 1
    assert engine.num_running == 0


async def test_a_client_that_leaves_while_it_sends_is_no_error(
    app: FastAPI, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": make_body()[:1000], "more_body": True},
    ]

    async def receive() -> dict[str, object]:
        return messages.pop()

    async def send(_message: object) -> None:
        pass

    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": INFER_PATH, "query_string": b""}
    await asyncio.wait_for(app(scope | {"headers": headers}, receive, send), 5)
    assert engine.requests == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
