"""Engines of other processes, over HTTP: for workers, which own no GPU.

Knows the least busy engine, waits for one that is well, and asks again what broke off: reading a
page twice does no harm.
"""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing

import httpx
from pydantic import ValidationError

from folio.engine.answers import Problem, decode_line, split_lines
from folio.engine.base import EngineStatus, GenerationOutput, GenerationRequest
from folio.engine.peers import FIRST_PAUSE_SECONDS, Peer, Peers, describe
from folio.engine.transport import AiohttpTransport
from folio.engine.wire import INFER_PATH, PAGE_MEDIA_TYPE, encode_request
from folio.errors import (
    EngineError,
    EngineNotReadyError,
    EngineOverloadedError,
    EngineTimeoutError,
    FolioError,
    ForbiddenError,
    UnauthorizedError,
)
from folio.telemetry.tracing import carrier

log = logging.getLogger(__name__)

MAX_BREAKS = 3  # of one page: after so many it may be the page that ends the engines

_PIECE_BYTES = 1024 * 1024
_CONNECT_TIMEOUT_SECONDS = 3.0
# An engine gives a page up after REQUEST_TIMEOUT_SECONDS (300) and says so.
_READ_TIMEOUT_SECONDS = 330.0
# uvicorn closes idle connections after 5 s: let it not be just when a page is sent.
_IDLE_SECONDS = 4.0
_MAX_PROBLEM_BYTES = 64 * 1024

# A host that vanished without a word is noticed within half a minute.
_SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
]


class _BrokenAnswerError(Exception):
    """The connection ended, or what came is no answer, after the page had been sent."""


class RemoteEngine:
    """See the module. An instance belongs to the event loop that first uses it.

    wait_seconds: how long a page waits while no engine takes it, before an error is raised.
    watch_seconds: how often an engine that reads pages is asked whether it lives; the third silence
    counts as a broken connection. transport: httpx's, in place of the network.
    """

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        *,
        wait_seconds: float,
        watch_seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._wait_seconds = wait_seconds
        self._client = httpx.AsyncClient(
            headers={
                b"Authorization": b"Bearer " + token.strip().encode(),
                b"Accept-Encoding": b"identity",
            },
            timeout=httpx.Timeout(
                _READ_TIMEOUT_SECONDS,
                connect=_CONNECT_TIMEOUT_SECONDS,
                write=None,
                pool=None,
            ),
            transport=transport
            or AiohttpTransport(idle_seconds=_IDLE_SECONDS, socket_options=_SOCKET_OPTIONS),
        )
        self._peers = Peers(urls, self._client, watch_seconds=watch_seconds)

    @property
    def status(self) -> EngineStatus:
        return self._peers.status

    async def start(self) -> None:
        """Ask every engine once how it is. None needs to be well yet."""
        await self._peers.look_at_all()

    async def stop(self) -> None:
        await self._peers.close()
        await self._client.aclose()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """Stream the page's text; closing the generator aborts the request in its engine.

        A page that broke off is begun anew, so that the text may become shorter once. Raises what
        the engine raises, EngineNotReadyError (also where engines refuse the token) and
        EngineOverloadedError when it has been waited for in vain, and EngineTimeoutError for a
        page on which engines break off again and again.
        """
        body = await asyncio.to_thread(encode_request, request)
        deadline = time.monotonic() + self._wait_seconds
        num_breaks = 0
        while True:
            peer = await self._peers.choose(deadline)
            try:
                async with aclosing(self._ask(peer, body)) as outputs:
                    async for output in outputs:
                        yield output
                return
            except EngineOverloadedError as error:
                self._peers.leave_busy(peer, error.retry_after_seconds)
            except EngineNotReadyError as error:
                self._peers.leave_alone(peer, error.message)
            except _BrokenAnswerError as error:
                self._peers.leave_alone(peer, str(error))
                num_breaks += 1
                if num_breaks == MAX_BREAKS:
                    raise _given_up(peer, error) from error
                # It did run: the wait for an engine begins only now.
                deadline = time.monotonic() + self._wait_seconds

    async def _ask(
        self, peer: Peer, body: Sequence[memoryview]
    ) -> AsyncGenerator[GenerationOutput, None]:
        """One try with one engine."""
        num_bytes = sum(part.nbytes for part in body)
        call = self._client.stream(
            "POST",
            f"{peer.url}{INFER_PATH}",
            content=_pieces(body),
            headers={
                "Content-Type": PAGE_MEDIA_TYPE,
                "Content-Length": str(num_bytes),
                **carrier(),
            },
        )
        try:
            async with AsyncExitStack() as stack:
                stack.enter_context(peer.use())
                async with peer.waiting():
                    answer = await stack.enter_async_context(call)
                if answer.status_code != httpx.codes.OK:
                    raise await _read_error(peer, answer)
                outputs = await stack.enter_async_context(aclosing(_read_outputs(peer, answer)))
                async for output in outputs:
                    peer.pause_seconds = FIRST_PAUSE_SECONDS
                    yield output
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise EngineNotReadyError(describe(error)) from error
        except httpx.HTTPError as error:
            raise _BrokenAnswerError(describe(error)) from error
        except TimeoutError as error:
            raise _BrokenAnswerError("it gives no sign of life") from error


async def _pieces(body: Sequence[memoryview]) -> AsyncIterator[bytes]:
    """The body in pieces that are copied one at a time: a retry sends them again."""
    for part in body:
        for start in range(0, part.nbytes, _PIECE_BYTES):
            yield bytes(part[start : start + _PIECE_BYTES])


async def _read_outputs(
    peer: Peer, answer: httpx.Response
) -> AsyncGenerator[GenerationOutput, None]:
    """Raises the error that the answer holds, _BrokenAnswerError where it has no end.

    Read to its end even after the last output: only then the connection can be used again.
    """
    output: GenerationOutput | None = None
    try:
        async with aclosing(split_lines(answer.aiter_raw())) as lines:
            while True:
                async with peer.waiting():
                    line = await anext(lines, None)
                if line is None:
                    break
                yield (output := decode_line(line))
    except httpx.HTTPError:
        if not _is_last(output):
            raise
    except ValueError as error:
        raise _BrokenAnswerError(f"the answer is not Folio's: {error}") from error
    except EngineNotReadyError as error:
        # It had begun: the same as a lost connection, which it also might have been.
        raise _BrokenAnswerError(error.message) from error
    if not _is_last(output):
        raise _BrokenAnswerError("the answer has no end")


def _is_last(output: GenerationOutput | None) -> bool:
    return output is not None and output.finish_reason is not None


async def _read_error(peer: Peer, answer: httpx.Response) -> FolioError | _BrokenAnswerError:
    status = answer.status_code
    try:
        problem = Problem.model_validate_json(await _read_start(answer))
    except ValidationError:
        return EngineNotReadyError(
            f"{INFER_PATH} answers with HTTP {status} and is not Folio's. Check "
            "WORKER_REMOTE_INFER_URL."
        )
    if problem.code in (UnauthorizedError.code, ForbiddenError.code):
        return EngineNotReadyError(  # pages wait until somebody has mended the token
            f"The engine at {peer.url} refuses the worker: set INTERNAL_API_TOKEN to the same "
            f"value for both. It says: {problem.detail}"
        )
    if problem.code == "not_found":
        return EngineNotReadyError(f"{problem.detail} It is no version of Folio with {INFER_PATH}.")
    retry_after = answer.headers.get("retry-after", "")
    if retry_after.isdigit():
        problem = problem.model_copy(update={"retry_after_seconds": int(retry_after)})
    return problem.as_error()


async def _read_start(answer: httpx.Response) -> bytes:
    start = b""
    async for chunk in answer.aiter_raw():
        start += chunk
        if len(start) > _MAX_PROBLEM_BYTES:
            break
    return start


def _given_up(peer: Peer, error: _BrokenAnswerError) -> EngineError:
    return EngineTimeoutError(
        f"Engines broke off {MAX_BREAKS} times while they read this page, the last one at "
        f"{peer.url}: {error}."
    )
