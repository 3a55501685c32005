"""The load: so many requests at once, each followed by the next, in processes of its own.

Takes a `Load` as JSON on standard input, writes a line of JSON per finished request to standard
output: `python -m bench.speed.load`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx

MOST_OF_A_PROCESS = 96  # requests at once


@dataclass(frozen=True)
class Call:
    """One request: either JSON, or a form with a file."""

    path: str
    json: dict[str, Any] | None = None
    fields: dict[str, str] | None = None
    file: str | None = None


@dataclass(frozen=True)
class Load:
    """Calls are repeated in turn until `num_requests` are done or `seconds` have passed."""

    url: str
    calls: list[Call]
    concurrency: int
    num_requests: int
    seconds: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def shared_out(self) -> "list[Load]":
        """One for each process that sends it: a single one would tire before several cards do."""
        num_processes = -(-self.concurrency // MOST_OF_A_PROCESS)
        return [
            replace(
                self,
                calls=self.calls[index:] + self.calls[:index],
                concurrency=share(self.concurrency, num_processes, index),
                num_requests=share(self.num_requests, num_processes, index),
            )
            for index in range(num_processes)
        ]

    @classmethod
    def from_json(cls, text: str) -> "Load":
        values = json.loads(text)
        return cls(**values | {"calls": [Call(**call) for call in values["calls"]]})


def share(total: int, num_parts: int, index: int) -> int:
    """Of a number that is divided as evenly as can be."""
    return total // num_parts + (index < total % num_parts)


@dataclass(frozen=True)
class Finished:
    """A request's times, in seconds of the machine's monotonic clock, and its answer's length."""

    started: float
    ended: float
    num_tokens: int
    error: str | None = None


async def run(load: Load) -> None:
    deadline = time.monotonic() + load.seconds
    requests = list(build_requests(load.calls))
    numbers = iter(range(load.num_requests))
    # A connection for each request: none can be taken that the server is about to close.
    limits = httpx.Limits(max_connections=load.concurrency, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=load.url, timeout=900, limits=limits) as client:

        async def keep_asking() -> None:
            for number in numbers:
                if time.monotonic() > deadline:
                    return
                finished = await ask(client, requests[number % len(requests)])
                sys.stdout.write(json.dumps(asdict(finished)) + "\n")
                sys.stdout.flush()

        async with asyncio.TaskGroup() as group:
            for _ in range(load.concurrency):
                group.create_task(keep_asking())


def build_requests(calls: list[Call]) -> Iterator[dict[str, Any]]:
    """Bodies are made once: what the generator does per request is send bytes."""
    for call in calls:
        files = (
            {"image": (Path(call.file).name, Path(call.file).read_bytes())} if call.file else None
        )
        request = httpx.Request(
            "POST", f"http://unused{call.path}", json=call.json, data=call.fields, files=files
        )
        headers = {"Content-Type": request.headers["Content-Type"]}
        yield {"url": call.path, "content": request.read(), "headers": headers}


async def ask(client: httpx.AsyncClient, request: dict[str, Any]) -> Finished:
    started = time.monotonic()
    try:
        answer = await client.post(**request)
        answer.raise_for_status()
        num_tokens, error = int(answer.json()["usage"]["completion_tokens"]), None
    except (httpx.HTTPError, KeyError, ValueError) as failure:
        num_tokens, error = 0, f"{type(failure).__name__}: {failure}"
    return Finished(started, time.monotonic(), num_tokens, error)


if __name__ == "__main__":
    asyncio.run(run(Load.from_json(sys.stdin.read())))
