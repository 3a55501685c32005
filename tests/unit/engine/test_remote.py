"""Pages go to the least busy engine that is well; what breaks off is asked again, not for ever."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest

from folio.engine.answers import encode_error, encode_output
from folio.engine.base import EngineState, GenerationOutput, GenerationRequest
from folio.engine.remote import MAX_BREAKS, RemoteEngine
from folio.engine.wire import INFER_PATH, WireLimits, decode_request
from folio.errors import (
    EngineNotReadyError,
    EngineOverloadedError,
    EngineTimeoutError,
    FolioError,
    ForbiddenError,
    InvalidInputError,
    RequestCanceledError,
    UnauthorizedError,
)
from folio.preprocessing.resolution import Mode, resolve

pytestmark = pytest.mark.alone

LIMITS = WireLimits(1_000_000, 2000, 6)
PAGE = np.full((64, 48, 3), 250, np.uint8)
LAST = GenerationOutput("whole text", 20, 10, 2, "stop")
FIRST = GenerationOutput("whole", 20, 10, 1)

Answer = Callable[[], httpx.Response]


def problem(error: FolioError, **headers: str) -> httpx.Response:
    content = encode_error(error).replace(b',"retry_after_seconds":null', b"")
    return httpx.Response(error.status, content=content, headers=headers)


def lines(*outputs: GenerationOutput | FolioError) -> httpx.Response:
    encoded = [
        encode_error(output) if isinstance(output, FolioError) else encode_output(output)
        for output in outputs
    ]
    return httpx.Response(200, content=b"".join(encoded))


def broken_after(*outputs: GenerationOutput) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for output in outputs:
            yield encode_output(output)
        raise httpx.ReadError("connection reset")

    return httpx.Response(200, content=stream())


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 50):
        yield content[start : start + 50]


@dataclass
class Host:
    """One engine as it is seen over HTTP. `answers` come first, then pages are read well.

    With a `gate`, answers wait until it is opened.
    """

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    health: httpx.Response | Exception | None = None
    gate: asyncio.Event | None = None
    requests: list[GenerationRequest] = field(default_factory=list)
    livez: httpx.Response | Exception | None = None
    num_signs_of_life: int = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health":
            return self._or_raise(self.health or health())
        if request.url.path == "/livez":
            self.num_signs_of_life += 1
            return self._or_raise(self.livez or httpx.Response(200, content=b"{}"))
        assert request.url.path == INFER_PATH
        assert request.headers["authorization"] == "Bearer secret"
        body = np.frombuffer(await request.aread(), np.uint8)
        assert body.size == int(request.headers["content-length"])
        self.requests.append(decode_request(body, LIMITS))
        if self.gate is not None:
            await self.gate.wait()
        return self._or_raise(self.answers.pop(0) if self.answers else lines(FIRST, LAST))

    @staticmethod
    def _or_raise(answer: httpx.Response | Exception) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        if not answer.is_closed:
            return answer
        # As the network gives it: a stream that is read once.
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=in_pieces(answer.content)
        )


def health(status: str = "healthy", **fields: object) -> httpx.Response:
    is_loaded = status == "healthy"
    content = {"status": status, "model_loaded": is_loaded, "model": "nano"} | fields
    return httpx.Response(200 if is_loaded else 503, content=json.dumps(content))


@asynccontextmanager
async def connected(*hosts: Host, wait_seconds: float = 5.0) -> AsyncIterator[RemoteEngine]:
    """An engine on these hosts, which are named a, b, ..."""
    by_name = dict(zip("abcdef", hosts, strict=False))
    transport = httpx.MockTransport(lambda request: by_name[request.url.host].answer(request))
    urls = [f"http://{name}:8001/" for name in by_name]
    engine = RemoteEngine(
        urls, "secret", wait_seconds=wait_seconds, watch_seconds=0.05, transport=transport
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def make_request(page_number: int = 1) -> GenerationRequest:
    resolution = resolve(Mode.BASE, PAGE.shape[1], PAGE.shape[0])
    return GenerationRequest(f"task:{page_number}:first", PAGE, "<image>\nOCR", resolution)


async def read(engine: RemoteEngine, page_number: int = 1) -> GenerationOutput:
    return [output async for output in engine.generate(make_request(page_number))][-1]


async def test_a_page_is_sent_and_its_outputs_stream_back() -> None:
    host = Host()
    async with connected(host) as engine:
        outputs = [output async for output in engine.generate(make_request())]
    assert outputs == [FIRST, LAST]
    np.testing.assert_array_equal(host.requests[0].image, PAGE)


async def test_pages_go_to_the_least_busy_engine() -> None:
    gate = asyncio.Event()
    slow, quick = Host(gate=gate), Host()
    async with connected(slow, quick) as engine:
        first = asyncio.create_task(read(engine))
        await asyncio.sleep(0.05)
        for _ in range(5):
            await read(engine)
        assert (len(slow.requests), len(quick.requests)) == (1, 5)
        assert engine.status.num_requests == 1
        gate.set()
        await first
        assert engine.status.num_requests == 0


async def test_engines_that_are_equally_busy_take_turns() -> None:
    hosts = [Host(), Host(), Host()]
    async with connected(*hosts) as engine:
        for number in range(9):
            await read(engine, number)
    assert [len(host.requests) for host in hosts] == [3, 3, 3]


async def test_an_engine_that_is_down_costs_no_page() -> None:
    down, well = Host(health=httpx.ConnectError("refused")), Host()
    async with connected(down, well) as engine:
        for number in range(4):
            await read(engine, number)
        status = engine.status
    assert (len(down.requests), len(well.requests)) == (0, 4)
    assert status.state is EngineState.HEALTHY
    assert status.reason is not None
    assert "1 of 2 engines are well. http://a:8001: ConnectError: refused" in status.reason


async def test_an_engine_that_goes_down_is_left_alone_until_it_is_well_again() -> None:
    failing, well = Host([httpx.ConnectError("refused")]), Host()
    failing.health = health()
    async with connected(failing, well) as engine:
        failing.health = httpx.ConnectError("refused")
        for number in range(4):
            assert await read(engine, number) == LAST
        assert (len(failing.requests), len(well.requests)) == (1, 4)
        failing.health = health()
        await wait_until(lambda: engine.status.reason is None)
        for number in range(4):
            await read(engine, number)
    assert len(failing.requests) > 1


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "trouble",
    [
        problem(EngineNotReadyError("loading"), **{"Retry-After": "10"}),
        problem(EngineOverloadedError("full", retry_after_seconds=1), **{"Retry-After": "1"}),
        httpx.Response(502, content=b"<html>Bad gateway</html>"),
        httpx.Response(404, content=b"nothing here"),
    ],
)
async def test_trouble_of_one_engine_sends_the_page_to_another(trouble: httpx.Response) -> None:
    troubled, well = Host([trouble]), Host()
    async with connected(troubled, well) as engine:
        assert await read(engine) == LAST
    assert (len(troubled.requests), len(well.requests)) == (1, 1)


async def test_an_only_engine_is_waited_for_until_it_is_well() -> None:
    host = Host([problem(EngineNotReadyError("loading"))] * 3)
    async with connected(host) as engine:
        assert await read(engine) == LAST
    assert len(host.requests) == 4


async def test_an_engine_that_says_it_is_well_but_is_not_is_asked_ever_more_rarely() -> None:
    host = Host([problem(EngineNotReadyError("loading")) for _ in range(100)])
    async with connected(host, wait_seconds=1.0) as engine:
        with pytest.raises(EngineNotReadyError):
            await read(engine)
    assert len(host.requests) <= 5


async def test_a_full_engine_is_left_alone_for_as_long_as_it_says() -> None:
    full = problem(EngineOverloadedError("full", retry_after_seconds=1), **{"Retry-After": "1"})
    host = Host([full])
    async with connected(host) as engine:
        reading = asyncio.create_task(read(engine))
        await asyncio.sleep(0.7)
        assert len(host.requests) == 1
        assert await reading == LAST


async def test_engines_that_stay_full_end_in_an_error_that_says_so() -> None:
    full = problem(EngineOverloadedError("full", retry_after_seconds=9), **{"Retry-After": "9"})
    host = Host([full])
    async with connected(host, wait_seconds=0.2) as engine:
        with pytest.raises(EngineOverloadedError, match="stay full"):
            await read(engine)


async def test_an_engine_that_does_not_get_well_ends_in_an_error_with_its_reason() -> None:
    host = Host(health=health("unhealthy", reason="the GPU fell off"))
    async with connected(host, wait_seconds=0.2) as engine:
        assert engine.status.state is EngineState.UNHEALTHY
        with pytest.raises(EngineNotReadyError, match="the GPU fell off"):
            await read(engine)


async def test_engines_may_still_be_loading_at_the_start() -> None:
    host = Host(health=health("starting"))
    async with connected(host) as engine:
        assert engine.status.state is EngineState.STARTING
        reading = asyncio.create_task(read(engine))
        await asyncio.sleep(0.1)
        assert host.requests == []
        host.health = health()
        assert await reading == LAST
        assert engine.status.model == "nano"


async def test_an_engine_whose_service_has_lost_its_database_reads_on() -> None:
    host = Host(health=health("unhealthy", model_loaded=True, reason="no database"))
    async with connected(host) as engine:
        assert await read(engine) == LAST


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'"text"', b"<html>", b'{"model_loaded": "yes"}', b"{}"]
)
async def test_a_health_that_is_not_folios_is_not_well(content: bytes) -> None:
    host = Host(health=httpx.Response(200, content=content))
    async with connected(host) as engine:
        assert engine.status.state is EngineState.UNHEALTHY


@pytest.mark.parametrize(
    "broken",
    [
        broken_after(FIRST),
        lines(FIRST),
        lines(),
        lines(FIRST, EngineNotReadyError("It died.")),
        httpx.Response(200, content=b"<html>\n"),
        httpx.Response(200, content=encode_output(LAST)[:-20]),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("Server disconnected"),
        httpx.ReadTimeout("silent"),
    ],
)
async def test_what_breaks_off_is_asked_again(broken: httpx.Response | Exception) -> None:
    host = Host([broken])
    async with connected(host) as engine:
        assert await read(engine) == LAST
    assert len(host.requests) == 2


async def test_a_connection_that_ends_after_the_last_output_is_no_loss() -> None:
    host = Host([broken_after(FIRST, LAST)])
    async with connected(host) as engine:
        assert await read(engine) == LAST
    assert len(host.requests) == 1


async def test_a_page_on_which_engines_break_off_again_and_again_is_given_up() -> None:
    hosts = [Host([httpx.ReadError("reset") for _ in range(9)]) for _ in range(2)]
    async with connected(*hosts) as engine:
        with pytest.raises(EngineTimeoutError, match="broke off"):
            await read(engine)
    assert sum(len(host.requests) for host in hosts) == MAX_BREAKS


@pytest.mark.parametrize("kind", [UnauthorizedError, ForbiddenError])
async def test_an_engine_that_refuses_the_token_is_left_alone_and_says_what_to_check(
    kind: type[FolioError],
) -> None:
    refusing, well = Host([problem(kind("No."))]), Host()
    async with connected(refusing, well) as engine:
        assert [await read(engine) for _ in range(3)] == [LAST] * 3
        assert "INTERNAL_API_TOKEN to the same" in str(engine.status.reason)
    assert len(refusing.requests) == 1


@pytest.mark.parametrize("kind", [UnauthorizedError, ForbiddenError])
async def test_a_page_waits_until_the_token_is_mended(kind: type[FolioError]) -> None:
    host = Host([problem(kind("No.")) for _ in range(2)])
    async with connected(host) as engine:
        assert await read(engine) == LAST
    assert len(host.requests) == 3


@pytest.mark.parametrize(
    "error", [InvalidInputError("No."), RequestCanceledError("Gone."), EngineTimeoutError("Slow.")]
)
async def test_what_no_retry_mends_is_raised_as_it_is(error: FolioError) -> None:
    for answer in (problem(error), lines(FIRST, error)):
        host = Host([answer])
        async with connected(host, Host()) as engine:
            with pytest.raises(type(error), match=error.message):
                await read(engine)


async def test_a_bug_in_the_engine_fails_the_page_and_not_the_engine() -> None:
    host = Host([problem(FolioError("See the log."))])
    async with connected(host) as engine:
        with pytest.raises(FolioError, match="See the log"):
            await read(engine)
        assert engine.status.state is EngineState.HEALTHY


async def test_a_generator_that_is_closed_lets_its_place_go() -> None:
    host = Host()
    async with connected(host) as engine:
        async with aclosing(engine.generate(make_request())) as outputs:
            assert await anext(outputs) == FIRST
            assert engine.status.num_requests == 1
        assert engine.status.num_requests == 0


async def test_pages_of_an_engine_that_freezes_are_read_by_another() -> None:
    frozen, well = Host(gate=asyncio.Event()), Host()
    async with connected(frozen, well) as engine:
        reading = asyncio.create_task(read(engine))
        await wait_until(lambda: len(frozen.requests) == 1)
        frozen.health = frozen.livez = httpx.ReadTimeout("silent")
        assert await asyncio.wait_for(reading, 2) == LAST
    assert len(well.requests) == 1


async def test_an_engine_that_reads_for_long_and_lives_is_left_to_it() -> None:
    host = Host(gate=asyncio.Event())
    async with connected(host) as engine:
        reading = asyncio.create_task(read(engine))
        await wait_until(lambda: host.num_signs_of_life >= 5)
        assert host.gate is not None
        host.gate.set()
        assert await reading == LAST
    assert len(host.requests) == 1


async def test_who_waits_for_an_engine_gets_an_error_when_the_worker_stops() -> None:
    async with connected(Host(health=httpx.ConnectError("refused"))) as engine:
        reading = asyncio.create_task(read(engine))
        await asyncio.sleep(0.05)
        await engine.stop()
        with pytest.raises(EngineNotReadyError):
            await asyncio.wait_for(reading, 1)


async def test_an_address_that_is_named_twice_is_one_engine() -> None:
    counts: Counter[str] = Counter()

    def answer(request: httpx.Request) -> httpx.Response:
        counts[request.url.path] += 1
        return health()

    urls = ["http://a:8001", "http://a:8001/"]
    transport = httpx.MockTransport(answer)
    engine = RemoteEngine(urls, "secret", wait_seconds=1, transport=transport)
    await engine.start()
    await engine.stop()
    assert counts["/health"] == 1
