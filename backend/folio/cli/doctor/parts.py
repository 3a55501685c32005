"""What tasks are kept in: the database and its tables, the broker, the storage."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from folio.cli.doctor.check import Check, failure, ok, warning
from folio.config import Settings
from folio.db import Database
from folio.db.migrate import find_schema_problem
from folio.errors import StorageUnavailableError
from folio.jobs.celery_app import make_celery
from folio.jobs.celery_queue import CeleryQueue

_DATABASE_SECONDS = 10.0
_FEW_BYTES, _TOO_FEW_BYTES = 5 * 1024**3, 512 * 1024**2


def check_database(settings: Settings) -> Iterator[Check]:
    """Reachable, and with the tables of this version."""
    name = _without_password(settings.database_url)
    if settings.database.database_url is None:
        yield from _check_embedded_database(settings, name)
        return
    try:
        problem = asyncio.run(_find_schema_problem(settings.database_url))
    except StorageUnavailableError as error:
        yield failure("Database", f"{name}: {error.message}", "When it answers: folio migrate")
        return
    except (ArgumentError, ImportError, ValueError) as error:
        yield failure("Database", f"{name} cannot be used ({error})", "Mend DATABASE_URL.")
        return
    except TimeoutError:
        yield failure("Database", f"{name} does not answer", "Look at the server and the network.")
        return
    yield ok("Database", name)
    if problem:
        yield failure("Tables", problem.removesuffix(" Run `folio migrate`."), "Run: folio migrate")
    else:
        yield ok("Tables", "of this version")


def check_broker(settings: Settings, *, is_worker: bool) -> Check:
    url = settings.jobs.celery_broker_url
    if url is None and is_worker:
        return failure(
            "Broker", "none", "Set CELERY_BROKER_URL: a worker takes its work from there."
        )
    if url is None:
        return ok("Broker", "none; the service works on documents itself")
    name = _without_password(url.get_secret_value())
    num_waiting = asyncio.run(_count_waiting(settings))
    if num_waiting is None:
        return failure(
            "Broker", f"{name} does not answer", "Start the server, or mend CELERY_BROKER_URL."
        )
    if settings.database.database_url is None:
        advice = "Set DATABASE_URL to a Postgres, which workers on other machines can reach too."
        return warning("Broker", f"{name}, with SQLite as the database", advice)
    return ok("Broker", f"{name}, messages waiting: {num_waiting}")


def check_storage(settings: Settings) -> Check:
    """Uploads and results can be written, and there is room for them."""
    folder = settings.server.data_dir.absolute()
    try:
        place = _first_that_exists(folder)
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return failure(
            "Storage",
            f"{folder} cannot be written: {error.strerror or error}",
            "Set DATA_DIR to a folder that this user may write to.",
        )
    detail = f"{folder}, {free / 1e9:.0f} GB free"
    if free < _TOO_FEW_BYTES:
        return failure("Storage", detail, "Make room: no result can be written.")
    if free < _FEW_BYTES:
        return warning("Storage", detail, "Make room, or lower RETENTION_HOURS.")
    return ok("Storage", detail)


def _check_embedded_database(settings: Settings, name: str) -> Iterator[Check]:
    """It is not opened where it is not: looking must leave nothing behind."""
    if not (settings.server.data_dir / "folio.db").is_file():
        yield ok("Database", f"{name}, made at the first start")
        return
    try:
        problem = asyncio.run(_find_schema_problem(settings.database_url))
    except StorageUnavailableError as error:
        yield failure("Database", f"{name}: {error.message}", "Look at the file and its folder.")
        return
    yield ok("Database", name)
    yield ok(
        "Tables", "older, brought up to date at the next start" if problem else "of this version"
    )


async def _find_schema_problem(url: str) -> str | None:
    async with asyncio.timeout(_DATABASE_SECONDS), Database(url) as database:
        return await find_schema_problem(database)


async def _count_waiting(settings: Settings) -> int | None:
    queue = CeleryQueue(make_celery(settings))
    try:
        return await queue.num_waiting()
    except ValueError:  # an address that is none
        return None
    finally:
        queue.close()


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.split('://', 1)[0]}://..."


def _first_that_exists(folder: Path) -> Path:
    """The folder, or the one that it would be made in."""
    return next(path for path in (folder, *folder.parents) if path.exists())
