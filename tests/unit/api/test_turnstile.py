"""Bodies are read in turn, and a slow sender holds nobody up."""

import asyncio
from collections.abc import Sequence

from starlette.types import Message, Receive, Scope, Send

from folio.api.turnstile import NUM_AT_ONCE, PATIENCE_SECONDS, Turnstile

PATH = "/api/ocr/image"


class Sender:
    """A client: its pieces come after so many seconds each; then it stays on the line."""

    def __init__(self, num_pieces: int, seconds_each: float = 0.0) -> None:
        self._left = num_pieces
        self._seconds_each = seconds_each

    async def receive(self) -> Message:
        if not self._left:
            await asyncio.Event().wait()
        await asyncio.sleep(self._seconds_each)
        self._left -= 1
        return {"type": "http.request", "body": b"x", "more_body": self._left > 0}


class Reader:
    """The application: reads bodies, and notes in which order they were all there."""

    def __init__(self) -> None:
        self.finished: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, _: Send) -> None:
        name, more = scope["name"], True
        while more:
            more = (await receive())["more_body"]
        self.finished.append(name)


async def send_nothing(_: Message) -> None: ...


async def read_all(senders: Sequence[Sender], path: str = PATH) -> list[str]:
    reader = Reader()
    gate = Turnstile(reader, paths={PATH})
    async with asyncio.TaskGroup() as tasks:
        for number, sender in enumerate(senders):
            scope = {"type": "http", "path": path, "name": str(number)}
            tasks.create_task(gate(scope, sender.receive, send_nothing))
    return reader.finished


async def test_of_many_that_come_at_once_the_first_are_there_first() -> None:
    finished = await read_all([Sender(20) for _ in range(5 * NUM_AT_ONCE)])
    assert set(finished[:NUM_AT_ONCE]) == set(map(str, range(NUM_AT_ONCE)))
    assert len(finished) == 5 * NUM_AT_ONCE


async def test_slow_senders_hold_nobody_up() -> None:
    slow = [Sender(3, 4 * PATIENCE_SECONDS) for _ in range(2 * NUM_AT_ONCE)]
    finished = await read_all([*slow, Sender(3)])
    assert finished[0] == str(len(slow))
    assert len(finished) == len(slow) + 1


async def test_other_paths_pass() -> None:
    finished = await read_all([Sender(1) for _ in range(3 * NUM_AT_ONCE)], "/health")
    assert len(finished) == 3 * NUM_AT_ONCE


async def test_who_goes_away_leaves_the_turn_to_the_next() -> None:
    gone = asyncio.Event()

    async def give_up(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        gone.set()
        raise ConnectionError

    gate = Turnstile(give_up, paths={PATH})
    for _ in range(2 * NUM_AT_ONCE):
        async with asyncio.timeout(1):
            try:
                await gate({"type": "http", "path": PATH}, Sender(5).receive, send_nothing)
            except ConnectionError:
                continue
    assert gone.is_set()
