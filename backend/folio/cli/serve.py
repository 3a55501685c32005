"""`folio serve`: settings, log, one uvicorn worker."""

import logging
import socket

import typer
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from folio.api.app import create_app, end_watches
from folio.config import Settings, wrong_settings
from folio.logging import configure_logging

log = logging.getLogger(__name__)


def serve() -> None:
    """Run until SIGINT or SIGTERM. One worker only: each would load the model again."""
    settings = load_settings()
    server = settings.server
    configure_logging(server.log_level)
    _say_hello(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=server.host,
        port=server.port,
        log_config=None,
        access_log=server.log_level == "DEBUG",
        timeout_graceful_shutdown=server.shutdown_timeout_seconds,
    )
    service = ServiceServer(config, app)
    service.run()
    if not service.started:
        raise typer.Exit(1)


class ServiceServer(uvicorn.Server):
    """Ends the event streams first: uvicorn waits for every answer, and they have no end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await end_watches(self._app)
        await super().shutdown(sockets)


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
