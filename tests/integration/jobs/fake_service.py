"""The service around a FakeEngine, in a process of its own that tests may kill.

Settings come from the environment as always, and besides: CALLS_LOG, a file that gets a line for
each page that the engine begins and ends; SECONDS_PER_TOKEN; FAKE_ANSWER, for every page the same;
FAKE_TROUBLE_FILE, whose content ("503", "429" or nothing) is what the engine fails with at the
moment.
"""

import os
import time
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Request

from folio.api.app import create_app
from folio.cli.serve import EVENT_LOOP, start_tracing
from folio.config import Settings
from folio.engine.base import GenerationOutput, GenerationRequest
from folio.engine.fake import FakeEngine
from folio.errors import EngineNotReadyError, EngineOverloadedError, InvalidInputError
from folio.logging import configure_logging


class LoggingEngine(FakeEngine):
    """Says what it reads in a file, which outlives a kill."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        trouble = read_trouble()
        if trouble == "503":
            raise EngineNotReadyError("The model is loading.")
        if trouble == "429":
            raise EngineOverloadedError("The queue is full.", retry_after_seconds=1)
        if "REFUSE" in request.prompt:
            raise InvalidInputError("The engine refuses this request.")
        log_call("begin", request)
        ended = "abort"
        try:
            async for output in self._stream(request):  # generate() would keep all the pages
                yield output
            ended = "end"
        finally:
            log_call(ended, request)


def read_trouble() -> str:
    path = Path(os.environ["FAKE_TROUBLE_FILE"])
    return path.read_text() if path.exists() else ""


def log_call(event: str, request: GenerationRequest) -> None:
    with Path(os.environ["CALLS_LOG"]).open("a") as log:
        log.write(f"{event} {request.request_id} {time.time()}\n")


def answer(request: GenerationRequest) -> str:
    """The same words for the same pixels."""
    checksum = zlib.crc32(request.image.tobytes())
    return f"# Page\n\nIts pixels add up to {checksum} in one word of {request.image.shape[0]} rows"


def make_app(settings: Settings) -> FastAPI:
    engine = LoggingEngine(
        answer=os.environ.get("FAKE_ANSWER", answer),
        seconds_per_token=float(os.environ.get("SECONDS_PER_TOKEN", "0")),
    )
    app = create_app(settings, engine)

    @app.post("/enqueue/{task_id}")
    async def enqueue(task_id: UUID, request: Request) -> None:
        await request.app.state.job_parts.queue.enqueue(task_id)

    return app


if __name__ == "__main__":
    settings = Settings()
    configure_logging("INFO")
    start_tracing(settings, "folio")
    app, port = make_app(settings), settings.server.port
    uvicorn.run(app, host="127.0.0.1", port=port, loop=EVENT_LOOP, log_config=None)
