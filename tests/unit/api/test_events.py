"""Server-sent events over a real socket."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from folio.api import event_stream
from folio.cli.serve import ServiceServer
from folio.engine.fake import FakeEngine
from tests.unit.documents_pdf.pdfs import write_pdf

pytestmark = pytest.mark.alone


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[ServiceServer]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        server = ServiceServer(config, app)
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield server
        server.should_exit = True
        await serving


@pytest.fixture
async def remote(server: ServiceServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client over the socket."""
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client


async def submit(client: httpx.AsyncClient, path: Path) -> str:
    pdf = write_pdf(path / "a.pdf", 4).read_bytes()
    answer = await client.post("/api/ocr/pdf", files={"pdf": ("a.pdf", pdf)})
    return str(answer.json()["task_id"])


async def read_events(client: httpx.AsyncClient, task_id: str) -> list[tuple[str, dict]]:
    name, events = "", []
    async with client.stream("GET", f"/api/tasks/{task_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    return events


async def test_events_tell_the_progress_and_the_end(
    remote: httpx.AsyncClient, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.seconds_per_token = 0.2
    events = await read_events(remote, task_id := await submit(remote, tmp_path))
    names = [name for name, _ in events]
    assert names == ["progress"] * (len(events) - 1) + ["end"]
    assert len(events) >= 2
    last = events[-1][1]
    assert (last["task_id"], last["status"], last["eta_seconds"]) == (task_id, "succeeded", 0.0)
    assert last["pages_per_second"] > 0
    assert last["result"]["zip_url"].startswith("/api/tasks/")
    status = (await remote.get(f"/api/tasks/{task_id}")).json()
    assert last == status | {
        "pages_per_second": last["pages_per_second"],
        "eta_seconds": 0.0,
    }


async def test_a_reconnect_after_the_end_is_told_to_stop(
    remote: httpx.AsyncClient, tmp_path: Path
) -> None:
    task_id = await submit(remote, tmp_path)
    await read_events(remote, task_id)
    path = f"/api/tasks/{task_id}/events"
    assert (await remote.get(path, headers={"Last-Event-ID": "end"})).status_code == 204
    assert [name for name, _ in await read_events(remote, task_id)] == ["end"]


async def test_a_client_that_goes_away_ends_its_stream(
    app: FastAPI, remote: httpx.AsyncClient, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.2
    task_id = await submit(remote, tmp_path)
    async with remote.stream("GET", f"/api/tasks/{task_id}/events") as answer:
        lines = answer.aiter_lines()  # held on to: the stream is closed with it
        await anext(lines)
        assert app.state.jobs.num_watchers == 1
        await lines.aclose()
    await asyncio.sleep(0.3)
    assert app.state.jobs.num_watchers == 0


async def test_the_service_stops_at_once_though_somebody_watches(
    server: ServiceServer, remote: httpx.AsyncClient, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 100, 0.2
    watch = asyncio.create_task(read_events(remote, await submit(remote, tmp_path)))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    server.should_exit = True
    events = await watch
    assert time.monotonic() - began < 2
    assert {name for name, _ in events} == {"progress"}


async def test_a_silent_stream_is_kept_alive() -> None:
    async def frames() -> AsyncIterator[str]:
        yield event_stream.frame("progress", "1")
        await asyncio.sleep(0.25)
        yield event_stream.frame("end", "2", event_id="end")

    texts = [text async for text in event_stream.with_keep_alive(frames(), seconds=0.1)]
    assert texts == [
        "retry: 2000\n\n",
        "event: progress\ndata: 1\n\n",
        ": keep-alive\n\n",
        ": keep-alive\n\n",
        "id: end\nevent: end\ndata: 2\n\n",
    ]
