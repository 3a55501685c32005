"""A service inside this process, for `folio ocr --local`: the same code, without a socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from folio.api.app import create_app
from folio.cli.service_client import ReadError
from folio.config import Settings
from folio.engine import OcrEngine

_POLL_SECONDS = 0.2


@asynccontextmanager
async def running_local_service(
    settings: Settings, engine: OcrEngine | None, say: Callable[[str], None]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose tasks and files are gone with it. Raises ReadError where the
    engine does not start."""
    with tempfile.TemporaryDirectory(prefix="folio-") as folder:
        app = create_app(_alone(settings, Path(folder)), engine)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://local", timeout=None
            ) as client,
        ):
            await _wait_until_loaded(client, say)
            yield client


def _alone(settings: Settings, folder: Path) -> Settings:
    """These settings with parts of its own: no database, broker or folder that others use."""
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"data_dir": folder}),
            "database": settings.database.model_copy(update={"database_url": None}),
            "jobs": settings.jobs.model_copy(
                update={"celery_broker_url": None, "retention_hours": 0.0}
            ),
        }
    )


async def _wait_until_loaded(client: httpx.AsyncClient, say: Callable[[str], None]) -> None:
    say("The model is loading ...")
    while (health := (await client.get("/health")).json())["status"] != "healthy":
        if health["status"] == "unhealthy" and not health["model_loaded"]:
            raise ReadError(f"The engine did not start: {health['reason']}")
        await asyncio.sleep(_POLL_SECONDS)
