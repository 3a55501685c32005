"""`folio model download`: brings a model from a hub; a bar in a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from folio.checkpoints import DownloadProgress, download_model, is_hub_id
from folio.checkpoints.download import OnProgress
from folio.checkpoints.places import folder_of
from folio.cli.serve import load_settings
from folio.config import EngineSettings
from folio.engine.preparation import make_hub
from folio.errors import SetUpError

INTERRUPTED = 130  # as shells call it
_LINE_SECONDS = 5.0


def download(model_id: str | None, hub: str | None, to: Path | None) -> None:
    """Exit status 0; 1 where it failed; 2 for an id that is none; 130 by Ctrl-C."""
    settings = _settings(hub)
    wanted = model_id or settings.model
    if not is_hub_id(wanted):
        print(f"folio: {wanted} is no id of a hub. Name one: folio model download owner/name")
        raise typer.Exit(2)
    folder = to or folder_of(wanted, settings.model_folders)
    try:
        with _display() as on_progress:
            download_model(make_hub(settings), wanted, folder, on_progress)
    except SetUpError as error:
        print(f"folio: {error.message}", file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        print("folio: stopped. The same command goes on from here.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    print(f"{wanted} is whole in {folder}")
    print(f"Serve it with MODEL_PATH={wanted if to is None else folder}")


def _settings(hub: str | None) -> EngineSettings:
    settings = load_settings().engine
    return settings if hub is None else settings.model_copy(update={"model_hub": hub})


@contextmanager
def _display() -> Iterator[OnProgress]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("asking the hub", total=None)

        def on_progress(news: DownloadProgress) -> None:
            progress.update(
                task, description=news.path, completed=news.bytes_done, total=news.num_bytes
            )

        yield on_progress


class _Lines:
    """For logs: a line every few seconds."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, news: DownloadProgress) -> None:
        if time.monotonic() - self._said_at < _LINE_SECONDS:
            return
        self._said_at = time.monotonic()
        percent = 100 * news.bytes_done / max(1, news.num_bytes)
        done, total = news.bytes_done / 1e9, news.num_bytes / 1e9
        print(f"{percent:.0f}%, {done:.2f} of {total:.2f} GB, {news.path}", file=sys.stderr)
