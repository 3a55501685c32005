"""The server that `folio serve` runs."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from uvicorn import Config

from folio.cli.serve import EVENT_LOOP, allow_many_files

NUM_CONNECTIONS = 100
MOST_TURNS = 10


def test_pages_that_come_at_once_do_not_wait_for_a_turn_of_the_loop_each() -> None:
    """With uvicorn's own choice of a loop it took a hundred turns."""
    make_loop = Config("unused", loop=EVENT_LOOP).get_loop_factory()
    assert make_loop is not None
    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(count_turns()) <= MOST_TURNS


async def count_turns() -> int:
    """Of the event loop, until all who stand before it are let in."""
    all_are_in = asyncio.Event()
    num_inside = num_turns = 0

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal num_inside
            num_inside += 1
            if num_inside == NUM_CONNECTIONS:
                all_are_in.set()

    def turn() -> None:
        nonlocal num_turns
        num_turns += 1
        loop.call_soon(turn)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Client, "127.0.0.1", 0, backlog=2 * NUM_CONNECTIONS)
    with ExitStack() as clients:
        for _ in range(NUM_CONNECTIONS):
            clients.enter_context(socket.create_connection(server.sockets[0].getsockname()))
        loop.call_soon(turn)
        await asyncio.wait_for(all_are_in.wait(), 10)
    server.close()
    return num_turns


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """Of open files, soft and hard: as they were, and as they are again afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_files_may_be_open_than_a_shell_allows(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(65_536, hard), hard)


def test_a_limit_that_is_high_already_stays(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
