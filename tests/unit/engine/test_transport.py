"""httpx on aiohttp's connections: the same answers, and httpx's own errors, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from folio.engine.transport import AiohttpTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


@dataclass
class Server:
    """Answers each request with the same bytes, then closes the connection unless it `stays`."""

    answer: bytes = ANSWER
    stays: bool = False
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    num_connections: int = 0
    has_left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        while head := await self._read_head(reader):
            self.heads.append(head)
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            self.bodies.append(await reader.readexactly(length))
            writer.write(self.answer)
            await writer.drain()
            if not self.stays:
                break
        self.has_left.set()

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    serving: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}/internal/infer"
    finally:
        listener.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


@asynccontextmanager
async def connected(**settings: object) -> AsyncIterator[httpx.AsyncClient]:
    transport = AiohttpTransport(idle_seconds=4, **settings)
    async with httpx.AsyncClient(transport=transport, timeout=0.3) as client:
        yield client


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


async def test_a_body_goes_in_pieces_and_the_answer_comes_as_it_is() -> None:
    body, server = bytes(range(256)) * 20, Server()
    async with listening(server.serve) as url, connected() as client:
        headers = {"Content-Length": str(len(body)), "X-Page": "1"}
        answer = await client.post(url, content=in_pieces(body), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert server.bodies == [body]
    assert server.heads[0].startswith(b"POST /internal/infer HTTP/1.1\r\n")
    assert b"x-page: 1\r\n" in server.heads[0].lower()
    assert b"transfer-encoding" not in server.heads[0].lower()


async def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    body = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal body
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        writer.write(ANSWER)
        await writer.drain()

    async with listening(serve) as url, connected() as client:
        answer = await client.post(url, content=in_pieces(b"page" * 1000))
    assert answer.content == b"hello"
    assert body == b"page" * 1000


async def test_a_connection_is_used_again() -> None:
    server = Server(stays=True)
    async with listening(server.serve) as url, connected() as client:
        for _ in range(3):
            await client.get(url)
    assert server.num_connections == 1


async def test_an_answer_that_is_left_closes_its_connection() -> None:
    server = Server(CHUNKED, stays=True)
    async with listening(server.serve) as url, connected() as client:
        async with client.stream("GET", url) as answer:
            assert await anext(answer.aiter_raw()) == b"hello"
            assert not server.has_left.is_set()
        await asyncio.wait_for(server.has_left.wait(), 2)


async def test_an_answer_counts_though_the_body_was_not_taken() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    body = bytes(30_000_000)
    async with listening(refuse) as url, connected() as client:
        headers = {"Content-Length": str(len(body))}
        async with client.stream("POST", url, content=in_pieces(body), headers=headers) as answer:
            assert answer.status_code == 503


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"no HTTP at all\r\n\r\n", httpx.RemoteProtocolError),
        (ANSWER[:-2], httpx.RemoteProtocolError),
        (CHUNKED, httpx.RemoteProtocolError),
    ],
    ids=["nothing", "no HTTP", "cut off", "no last chunk"],
)
async def test_what_breaks_off_is_told_apart(answer: bytes, error: type[Exception]) -> None:
    server = Server(answer)
    async with listening(server.serve) as url, connected() as client:
        with pytest.raises(error):
            await client.get(url)


@pytest.mark.parametrize("answer", [b"", CHUNKED], ids=["before", "within"])
async def test_silence_ends_the_read(answer: bytes) -> None:
    async with listening(Server(answer, stays=True).serve) as url, connected() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)


async def test_a_reset_connection_is_an_error_of_reading() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with listening(reset) as url, connected() as client:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post(url, content=b"page")


async def test_nobody_there() -> None:
    async with listening(Server().serve) as url:
        pass
    async with connected() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        with pytest.raises(httpx.ConnectError):
            await client.get("http://no-such-host.invalid/health")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "//127.0.0.1/x"])
async def test_an_address_that_is_none_for_http(url: str) -> None:
    async with connected() as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get(url)


async def test_sockets_have_the_options() -> None:
    seen: list[int] = []

    class Recording(AiohttpTransport):
        def _make_socket(self, address: tuple) -> socket.socket:
            made = super()._make_socket(address)
            seen.append(made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            return made

    transport = Recording(
        idle_seconds=4, socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    )
    async with listening(Server().serve) as url, httpx.AsyncClient(transport=transport) as client:
        await client.get(url)
    assert seen == [1]
