"""The route parses, calls and renders: shown on a scripted engine."""

import asyncio
import logging

import httpx
import pytest
from fastapi import FastAPI

from folio.engine.fake import FakeEngine
from folio.errors import EngineOverloadedError
from tests.pages import encode, print_page
from tests.unit.api.conftest import MAX_UPLOAD_BYTES, impatient

PAGE = encode(print_page(size=(500, 400)))


async def post(client: httpx.AsyncClient, data: bytes = PAGE, **fields: str) -> httpx.Response:
    return await client.post("/api/ocr/image", files={"image": data}, data=fields)


async def test_a_page_is_rendered_with_boxes_in_its_own_pixels(client: httpx.AsyncClient) -> None:
    page = (await post(client)).json()
    assert page["markdown"] == "# Hello"
    assert page["text"] == "Hello"
    assert page["blocks"] == [
        {
            "label": "title",
            "text": "Hello",
            "markdown": "# Hello",
            "box": [0, 0, 500, 40],
            "boxes": [[0, 0, 500, 40]],
        }
    ]
    assert page["image"] == {"width": 500, "height": 400}
    assert page["finish_reason"] == "stop"


async def test_the_text_of_a_block_is_plain(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    table = "<table><tr><td>Inlet</td><td>3.5</td></tr></table>"
    engine.answer = (
        "<|ref|>sub_title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n## Readings\n\n"
        f"<|ref|>table<|/ref|><|det|>[[0, 100, 999, 300]]<|/det|>\n{table}"
    )
    blocks = (await post(client)).json()["blocks"]
    assert [block["text"] for block in blocks] == ["Readings", "Inlet\t3.5"]
    assert blocks[1]["markdown"] == table


async def test_fields_reach_the_engine(client: httpx.AsyncClient, engine: FakeEngine) -> None:
    await post(client, mode="tiny", task="locate", query="total", max_tokens="7")
    (request,) = engine.requests
    assert "total" in request.prompt
    assert request.resolution.base_size == 512
    assert request.max_tokens == 7


async def test_an_overloaded_engine_says_when_to_come_back(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.error = EngineOverloadedError("Full. Come back later.", retry_after_seconds=17)
    answer = await post(client)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "17"
    assert answer.json()["code"] == "engine_overloaded"


@impatient
async def test_a_page_that_takes_too_long_is_given_up_and_aborted(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.1
    answer = await post(client)
    assert answer.status_code == 504
    assert answer.json()["code"] == "engine_timeout"
    assert len(engine.aborted) == 1


async def test_a_client_that_leaves_aborts_its_page(app: FastAPI, engine: FakeEngine) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.05
    body = httpx.Request("POST", "http://folio/", files={"image": PAGE})
    messages = [{"type": "http.request", "body": body.read(), "more_body": False}]

    async def receive() -> dict[str, object]:
        if messages:
            return messages.pop()
        await engine.was_asked.wait()
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/ocr/image",
        "query_string": b"",
        "headers": [(b"content-type", body.headers["content-type"].encode())],
    }
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert len(engine.aborted) == 1
    assert engine.num_running == 0


async def test_what_nobody_expected_is_logged_once_and_answered_with_500(
    client: httpx.AsyncClient, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_request: object) -> str:
        raise ZeroDivisionError("secret detail")

    engine.answer = fail
    with caplog.at_level(logging.ERROR):
        answer = await post(client)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert record.exc_info is not None


async def test_an_upload_that_says_it_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, bytes(2 * MAX_UPLOAD_BYTES))
    assert answer.status_code == 413
    assert answer.json()["code"] == "upload_too_large"
    assert "MAX_UPLOAD_BYTES" in answer.json()["detail"]


async def test_an_unknown_address_is_a_problem_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert (await client.get("/api/ocr/image")).json()["code"] == "method_not_allowed"
