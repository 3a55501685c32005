"""A client of a service that is busy, restarts, or is left in the middle."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from folio.cli import service_client
from folio.cli.readings import OutputFormat, Reading
from folio.cli.service_client import ReadError, ReadOptions, ReadProgress, ServiceClient

Answer = Callable[[httpx.Request], httpx.Response]
PAGE = {"markdown": "# Hello", "text": "Hello", "finish_reason": "stop"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return path


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


async def read(
    path: Path,
    answer: Answer,
    *,
    output_format: OutputFormat = OutputFormat.MD,
    progress: list[ReadProgress] | None = None,
) -> Reading:
    options = ReadOptions({}, {}, output_format, with_figures=True)
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://folio") as client:
        on_progress = [].append if progress is None else progress.append
        return await ServiceClient(client, options).read(path, on_progress)


def task(status: str, **fields: object) -> dict[str, object]:
    progress = {"pages_done": 1, "num_pages": 2, "message": "page 2 of 2"}
    urls = {"markdown_url": "/md", "json_url": "/json", "zip_url": "/zip"}
    return {"status": status, "progress": progress, "result": urls, "error": None} | fields


async def test_a_busy_service_is_waited_for(image: Path) -> None:
    answers = [httpx.Response(429, headers={"Retry-After": "0.01"})] * 2
    answers.append(httpx.Response(200, json=PAGE))
    reading = await read(image, lambda _: answers.pop(0))
    assert reading.body == "# Hello"


async def test_what_the_service_says_is_what_the_user_reads(image: Path) -> None:
    problem = httpx.Response(422, json={"detail": "The image is cut off. Send it again."})
    with pytest.raises(ReadError, match=r"The image is cut off\. Send it again\."):
        await read(image, lambda _: problem)


async def test_another_kind_of_service_is_told_as_such(image: Path) -> None:
    with pytest.raises(ReadError, match="Is it a Folio service"):
        await read(image, lambda _: httpx.Response(404, text="<h1>Not found</h1>"))


async def test_a_service_that_restarts_meanwhile_goes_on(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_client, "_LOST_PAUSE_SECONDS", 0.01)
    states = iter([task("running"), None, httpx.ConnectError("refused"), task("succeeded")])

    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/api/ocr/pdf":
                return httpx.Response(202, json={"task_id": "t"})
            case "/json":
                return httpx.Response(200, json={"pages": []})
            case "/md":
                return httpx.Response(200, text="# Hello")
        state = next(states)
        if isinstance(state, httpx.ConnectError):
            raise state
        return httpx.Response(200, json=state) if state else httpx.Response(503)

    progress: list[ReadProgress] = []
    assert (await read(document, answer, progress=progress)).body == "# Hello"
    assert progress[-1] == ReadProgress(1, 2, "page 2 of 2")


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (task("failed", error={"message": "It is encrypted."}), "It is encrypted."),
        (task("canceled"), "canceled"),
    ],
)
async def test_a_task_that_ends_badly_is_an_error(
    document: Path, end: dict[str, object], message: str
) -> None:
    answers = [httpx.Response(202, json={"task_id": "t"}), httpx.Response(200, json=end)]
    with pytest.raises(ReadError, match=message):
        await read(document, lambda _: answers.pop(0))


async def test_who_gives_up_cancels_the_task(document: Path) -> None:
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(f"{request.method} {request.url.path}")
        if request.method == "POST":
            return httpx.Response(202, json={"task_id": "t"})
        return httpx.Response(200, json=task("running"))

    work = asyncio.create_task(read(document, answer))
    await asyncio.sleep(0.1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert calls[-1] == "DELETE /api/tasks/t"
