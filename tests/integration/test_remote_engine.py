"""A worker's engine and the service's, joined over a real socket."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

from folio.api.app import create_app
from folio.config import ServerSettings, Settings
from folio.engine.base import GenerationRequest, NoRepeatNgram
from folio.engine.fake import FakeEngine
from folio.engine.remote import RemoteEngine
from folio.errors import EngineNotReadyError, EngineOverloadedError, RequestCanceledError
from folio.pipeline.page import PageOptions, recognize_page
from folio.preprocessing.resolution import Mode, resolve
from tests.pages import print_page

pytestmark = pytest.mark.alone

TOKEN = "a secret of both sides"
ANSWER = "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Größe: 5 ≤ 6\u2028 and on"
PAGE = np.array(print_page(size=(1240, 1754), font_size=40))


@dataclass
class Server:
    url: str
    engine: FakeEngine
    app: FastAPI


@asynccontextmanager
async def serving(folder: Path, engine: FakeEngine) -> AsyncIterator[Server]:
    """The service on a socket, on this event loop."""
    server_settings = ServerSettings(data_dir=folder, internal_api_token=TOKEN)
    app = create_app(Settings(server=server_settings), engine)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await wait_until(lambda: server.started)
            yield Server(url, engine, app)
        finally:
            server.should_exit = True
            await running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path, FakeEngine(answer=ANSWER)) as server:
        yield server


@pytest.fixture
async def remote(server: Server) -> AsyncIterator[RemoteEngine]:
    remote = RemoteEngine([server.url], TOKEN, wait_seconds=10)
    await remote.start()
    yield remote
    await remote.stop()


def make_request(page: np.ndarray = PAGE, request_id: str = "task:1:first") -> GenerationRequest:
    height, width = page.shape[:2]
    resolution = resolve(Mode.GUNDAM, width, height)
    rule = NoRepeatNgram(20, 50)
    return GenerationRequest(request_id, page, "<image>\nOCR ä", resolution, 500, rule)


async def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return time.monotonic() - started


async def test_any_page_arrives_byte_for_byte(server: Server, remote: RemoteEngine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1754, 1240, 3), np.uint8)
    pages = [PAGE, noise, np.repeat(noise[..., :1], 3, axis=2), PAGE[:7, :5], PAGE[::-1, ::2]]
    for page in pages:
        sent = make_request(page)
        async with aclosing(remote.generate(sent)) as outputs:
            assert [output async for output in outputs][-1].finish_reason == "stop"
        arrived = server.engine.requests[-1]
        np.testing.assert_array_equal(arrived.image, page)
        assert arrived.resolution == sent.resolution
        assert (arrived.prompt, arrived.max_tokens) == (sent.prompt, sent.max_tokens)
        assert arrived.no_repeat_ngram == sent.no_repeat_ngram


@pytest.mark.parametrize("mode", ["auto", *Mode])
async def test_a_page_is_read_as_by_the_local_engine(remote: RemoteEngine, mode: str) -> None:
    local = FakeEngine(answer=ANSWER)
    await local.start()
    options = PageOptions(mode=mode)
    assert await recognize_page(remote, PAGE, options) == await recognize_page(local, PAGE, options)


async def test_a_closed_generator_stops_the_engine_at_once(
    server: Server, remote: RemoteEngine
) -> None:
    server.engine.answer, server.engine.seconds_per_token = "word " * 500, 0.05
    async with aclosing(remote.generate(make_request())) as outputs:
        await anext(outputs)
        assert server.engine.num_running == 1
    assert await wait_until(lambda: server.engine.num_running == 0) < 1
    assert server.engine.aborted == ["task:1:first"]


async def test_a_cancelled_reader_stops_the_engine_before_its_first_word(
    server: Server, remote: RemoteEngine
) -> None:
    server.engine.seconds_per_token = 60
    reading = asyncio.create_task(recognize_page(remote, PAGE, PageOptions()))
    await wait_until(lambda: server.engine.num_running == 1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await wait_until(lambda: server.engine.num_running == 0) < 1


async def test_a_task_that_is_canceled_in_the_service_ends_its_pages(
    server: Server, remote: RemoteEngine
) -> None:
    server.engine.answer, server.engine.seconds_per_token = "word " * 500, 0.05
    readings = [
        asyncio.create_task(
            recognize_page(remote, PAGE, PageOptions(), request_id=f"{task}:{number}:first")
        )
        for task, number in (("gone", 1), ("gone", 2), ("stays", 1))
    ]
    await wait_until(lambda: server.engine.num_running == 3)
    assert server.app.state.running.cancel("gone") == 2
    for reading in readings[:2]:
        with pytest.raises(RequestCanceledError):
            await reading
    assert server.engine.num_running == 1
    readings[2].cancel()


async def test_another_token_is_told(server: Server) -> None:
    remote = RemoteEngine([server.url], "wrong", wait_seconds=2)
    with pytest.raises(EngineNotReadyError, match="INTERNAL_API_TOKEN"):
        await recognize_page(remote, PAGE, PageOptions())
    await remote.stop()


async def test_a_full_engine_is_asked_again_when_it_said(
    server: Server, remote: RemoteEngine
) -> None:
    server.engine.error = EngineOverloadedError("Full.", retry_after_seconds=1)
    reading = asyncio.create_task(recognize_page(remote, PAGE, PageOptions()))
    await wait_until(lambda: len(server.engine.requests) == 1)
    server.engine.error = None
    await asyncio.sleep(0.5)
    assert len(server.engine.requests) == 1
    assert (await reading).raw_text == ANSWER


async def test_pages_of_an_engine_that_ends_are_read_by_another(tmp_path: Path) -> None:
    slow = FakeEngine(answer="word " * 500, seconds_per_token=0.05)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with serving(tmp_path / "b", FakeEngine(answer=ANSWER)) as other:
        async with serving(tmp_path / "a", slow) as ending:
            remote = RemoteEngine([ending.url, other.url], TOKEN, wait_seconds=10)
            await remote.start()
            readings = [
                asyncio.create_task(recognize_page(remote, PAGE, PageOptions())) for _ in range(4)
            ]
            await wait_until(lambda: slow.num_running == 2)
        pages = await asyncio.gather(*readings)
        assert [page.raw_text for page in pages] == [ANSWER] * 4
        assert remote.status.reason is not None
        await remote.stop()
