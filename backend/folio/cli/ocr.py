"""`folio ocr FILE...`: reads images and documents, by a service or by an engine of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import typer

from folio.cli.progress_display import ProgressDisplay, make_display
from folio.cli.readings import OutputFormat, Reading, output_names, write
from folio.cli.serve import load_settings
from folio.cli.service_client import ReadError, ReadOptions, ServiceClient
from folio.config import Settings
from folio.engine import OcrEngine
from folio.errors import InvalidInputError
from folio.jobs.options import DocumentOptions
from folio.logging import configure_logging

INTERRUPTED = 130  # as shells call it
_FILES_AT_ONCE = 4


@dataclass(frozen=True)
class OcrCommand:
    """What the command line says. `out` None prints; `url` None and not `is_local`: the default."""

    files: Sequence[Path]
    options: DocumentOptions
    output_format: OutputFormat
    out: Path | None
    url: str | None
    is_local: bool


def ocr(command: OcrCommand) -> None:
    """Exit status 0; 1 where a file could not be read, after the others; 130 by Ctrl-C."""
    settings = load_settings()
    try:
        status = 0 if asyncio.run(read_files(command, settings)) else 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    if command.is_local:
        _exit_at_once(status)
    raise typer.Exit(status)


def _exit_at_once(status: int) -> NoReturn:
    """Everything is closed by now; vLLM's objects complain where the interpreter takes leave."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def make_options(**options: str | int | None) -> DocumentOptions:
    """Exit status 2 for options that no file could be read with."""
    try:
        return DocumentOptions(**options)  # type: ignore[arg-type]
    except InvalidInputError as error:
        print(f"folio: {error.message}", file=sys.stderr)
        raise typer.Exit(2) from error


async def read_files(
    command: OcrCommand, settings: Settings, engine: OcrEngine | None = None
) -> bool:
    """Whether every file was read. `engine`: instead of the embedded one, with --local."""
    with make_display() as display:
        try:
            async with _client(command, settings, engine, display) as client:
                return await _read_all(command, client, display)
        except ReadError as error:
            display.say(f"folio: {error}")
            return False


@asynccontextmanager
async def _client(
    command: OcrCommand, settings: Settings, engine: OcrEngine | None, display: ProgressDisplay
) -> AsyncIterator[httpx.AsyncClient]:
    if command.is_local:
        from folio.cli.local_service import running_local_service

        configure_logging("WARNING")
        async with running_local_service(settings, engine, display.say) as client:
            yield client
        return
    url = command.url or f"http://localhost:{settings.server.port}"
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        yield client


async def _read_all(
    command: OcrCommand, client: httpx.AsyncClient, display: ProgressDisplay
) -> bool:
    """A few files at a time; their results in the order of the command line."""
    service = ServiceClient(client, _read_options(command))
    places = asyncio.Semaphore(_FILES_AT_ONCE)

    async def read(path: Path) -> Reading | ReadError:
        async with places:
            try:
                return await service.read(
                    path, lambda progress: display.update(str(path), progress)
                )
            except ReadError as error:
                return error
            finally:
                display.finish(str(path))

    async with asyncio.TaskGroup() as group:
        readings = [group.create_task(read(path)) for path in command.files]
        names = output_names(command.files, command.output_format)
        results = [
            _deliver(command, path, name, await reading, display)
            for path, name, reading in zip(command.files, names, readings, strict=True)
        ]
    return all(results)


def _deliver(
    command: OcrCommand,
    path: Path,
    name: str,
    reading: Reading | ReadError,
    display: ProgressDisplay,
) -> bool:
    """Print or write what was read. Whether it is there."""
    if isinstance(reading, ReadError):
        display.say(f"folio: {path}: {reading}")
        return False
    for warning in reading.warnings:
        display.say(f"folio: {path}: {warning}")
    if command.out is None:
        _print(reading, path if len(command.files) > 1 else None)
        return True
    try:
        display.say(f"{path} -> {write(reading, command.out, name)}")
    except OSError as error:
        display.say(f"folio: {path}: {command.out / name} cannot be written ({error.strerror}).")
        return False
    return True


def _print(reading: Reading, path: Path | None) -> None:
    """Under a line with the file's name where there are several, as `head` does."""
    if path is not None:
        print(f"==> {path} <==")
    print(reading.body.rstrip("\n"), flush=True)
    if path is not None:
        print()


def _read_options(command: OcrCommand) -> ReadOptions:
    given = {
        name: str(value) for name, value in command.options.to_json().items() if value is not None
    }
    for_images = {name: given[name] for name in given if name not in ("pages", "dpi")}
    return ReadOptions(
        image_fields=for_images,
        document_fields=given,
        output_format=command.output_format,
        with_figures=command.out is not None,
    )
