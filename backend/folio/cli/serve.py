"""`folio serve`: settings, log, one uvicorn worker."""

import asyncio
import logging
import resource
import socket
import time

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from folio.api.app import create_app, end_watches
from folio.api.intake import Intake
from folio.config import Settings, wrong_settings
from folio.engine import OcrEngine
from folio.logging import configure_logging
from folio.telemetry.tracing import configure_tracing

log = logging.getLogger(__name__)

_DRAIN_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 3
# uvloop, uvicorn's choice, accepts one connection in each turn of the loop: with hundreds of pages
# being read a turn takes long, and those that come wait outside while cards have nothing to do.
EVENT_LOOP = "asyncio"
# uvicorn's 5 s end while a client already sends its next page, when the loop is busy.
_KEEP_ALIVE_SECONDS = 75
# A page that comes in holds a socket and, above a megabyte, a file: a shell's 1,024 are soon gone.
_MANY_FILES = 65_536
_LAST_WORDS_SECONDS = 10.0  # the start script asks every two seconds


def serve() -> None:
    """Run until SIGINT or SIGTERM. One worker only: each would load the model again."""
    settings = load_settings()
    server = settings.server
    configure_logging(server.log_level, server.log_format)
    start_tracing(settings, "folio")
    allow_many_files()
    _say_hello(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=server.host,
        port=server.port,
        loop=EVENT_LOOP,
        log_config=None,
        access_log=server.log_level == "DEBUG",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=server.shutdown_timeout_seconds,
    )
    service = ServiceServer(config, app)
    service.run()
    if not service.started or service.has_lost_engine:
        raise typer.Exit(1)


class ServiceServer(uvicorn.Server):
    """Ends in order: takes nothing new in, lets what runs end, hands back what does not, and only
    then closes its sockets. Ends by itself when the engine is given up, once /health has had some
    seconds to say why."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._lost_at: float | None = None

    @property
    def has_lost_engine(self) -> bool:
        engine: OcrEngine = self._app.state.engine
        return engine.status.is_given_up

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._has_said_why()

    def _has_said_why(self) -> bool:
        if not self.has_lost_engine:
            return False
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        return now - self._lost_at >= _LAST_WORDS_SECONDS

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        deadline = time.monotonic() + (self.config.timeout_graceful_shutdown or 0)
        await self._drain(deadline)
        # uvicorn waits for every answer, and those of event streams have no end.
        await end_watches(self._app)
        self.config.timeout_graceful_shutdown = _whole_seconds_until(deadline)
        await super().shutdown(sockets)

    async def _drain(self, deadline: float) -> None:
        intake: Intake = self._app.state.intake
        intake.close()
        if intake.num_inside:
            log.info("Shutting down when %s requests have ended", intake.num_inside)
        while time.monotonic() < deadline and not self.force_exit:
            if intake.num_inside == 0:
                return
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        if intake.num_inside:
            log.warning("%s requests did not end in time: handed back", intake.num_inside)
            await self._app.state.engine.stop()  # they are answered with 503


def _whole_seconds_until(deadline: float) -> int:
    """Some are always left, for answers that are on their way."""
    return max(_ANSWER_SECONDS, round(deadline - time.monotonic()))


def allow_many_files() -> None:
    """Raise the soft limit of open files, as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(_MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start_tracing(settings: Settings, service_name: str) -> None:
    """Where it is wanted; without the packages for it the program ends with a line that says so."""
    if settings.server.otel_exporter_otlp_endpoint is None:
        return
    try:
        configure_tracing(service_name)
    except ImportError as error:
        print(
            "folio: OTEL_EXPORTER_OTLP_ENDPOINT needs packages that are not installed "
            f"({error}). Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http."
        )
        raise typer.Exit(2) from error


def load_settings() -> Settings:
    """Settings from the environment; a wrong one ends the program with a line that names it."""
    try:
        return Settings()
    except ValidationError as error:
        for wrong in wrong_settings(error):
            print(f"folio: {wrong.name}={wrong.value}: {wrong.problem}")
        raise typer.Exit(2) from None


def _say_hello(settings: Settings) -> None:
    address = f"http://localhost:{settings.server.port}"
    log.info("Folio listens on %s; %s/health tells when the model is ready", address, address)
    log.info("Try: curl -F image=@page.png %s/api/ocr/image", address)
    if settings.engine.uses_embedded_model:
        log.info(
            "No MODEL_PATH is set: serving %s, the small model that ships with Folio. It reads "
            "plain printed Latin text. For real work set MODEL_PATH to the published DeepSeek-OCR.",
            settings.engine.model_name,
        )
