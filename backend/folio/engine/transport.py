"""httpx's requests on aiohttp's connections: 1.0 to 1.4 ms of a worker's processor a page less than
on httpx's own (docs/decisions/0009, `python -m bench.wire`).
"""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import aiohttp
import httpx

SocketOption = tuple[int, int, int]

# The first one that fits counts. What aiohttp raises: its client_exceptions.
_ERRORS: Sequence[tuple[type[Exception], type[httpx.TransportError]]] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """As many connections as there are requests; those that are idle are kept for `idle_seconds`.

    Knows neither proxies nor cookies. An instance belongs to the event loop that first uses it. Of
    httpx's timeouts `connect` and `read` hold: that nobody takes what is sent, the socket's own
    options have to notice. Raises httpx.TransportError and its kinds.
    """

    def __init__(self, *, idle_seconds: float, socket_options: Sequence[SocketOption] = ()) -> None:
        self._idle_seconds = idle_seconds
        self._socket_options = socket_options
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        headers = request.headers.copy()
        is_chunked = headers.pop("Transfer-Encoding", None) is not None  # aiohttp says so itself
        has_body = is_chunked or headers.get("Content-Length", "0") != "0"
        with _translated():
            answer = await self._open_session().request(
                request.method,
                str(request.url),
                headers=headers.multi_items(),
                data=request.stream if has_body else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    sock_connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
            )
        return httpx.Response(
            answer.status, headers=list(answer.raw_headers), stream=_AnswerStream(answer)
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=self._idle_seconds,
                ssl=httpx.create_ssl_context(),
                socket_factory=self._make_socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    def _make_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        for option in self._socket_options:
            made.setsockopt(*option)
        return made


class _AnswerStream(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        """Before its end this closes the connection, which is how an engine hears of it."""
        self._answer.close()


@contextmanager
def _translated() -> Iterator[None]:
    """httpx's errors from aiohttp's and the system's."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        kind = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))
        raise kind(str(error) or type(error).__name__) from error
