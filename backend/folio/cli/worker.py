"""`folio worker`: settings, log, a database with its tables, then Celery's processes."""

import asyncio
import logging
import time

import typer

from folio.cli.serve import load_settings, start_tracing
from folio.config import Settings
from folio.db import Database
from folio.db.migrate import find_schema_problem
from folio.errors import InvalidInputError, StorageUnavailableError
from folio.jobs.worker_process import check_worker_settings, run_worker
from folio.logging import configure_logging

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0


def worker(concurrency: int | None) -> None:
    """Run until SIGINT or SIGTERM. Exit status 2 for settings that leave nothing to do."""
    settings = load_settings()
    configure_logging(settings.server.log_level, settings.server.log_format)
    start_tracing(settings, "folio-worker")
    try:
        check_worker_settings(settings)
    except InvalidInputError as error:
        print(f"folio: {error.message}")
        raise typer.Exit(2) from error
    _wait_for_database(settings)
    num_processes = concurrency or settings.worker.worker_num_processes
    log.info("Folio's worker starts with %s processes", num_processes)
    raise typer.Exit(run_worker(settings, num_processes))


def _wait_for_database(settings: Settings) -> None:
    """Where services start together, the worker may be the first. It says what it waits for."""
    last_problem = None
    while (problem := asyncio.run(_find_problem(settings))) is not None:
        if problem != last_problem:
            log.error("Waiting: %s", problem)
        last_problem = problem
        time.sleep(_PAUSE_SECONDS)


async def _find_problem(settings: Settings) -> str | None:
    try:
        async with Database(settings.database_url) as database:
            return await find_schema_problem(database)
    except StorageUnavailableError as error:
        return error.message
