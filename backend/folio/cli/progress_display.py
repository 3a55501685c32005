"""How far `folio ocr` is, on standard error: bars in a terminal, lines elsewhere."""

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from folio.cli.service_client import ReadProgress


class ProgressDisplay(AbstractContextManager["ProgressDisplay"], Protocol):
    """Hears of each file's pages. `say` writes a line that stays."""

    def update(self, name: str, progress: ReadProgress) -> None: ...

    def finish(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...


def make_display() -> ProgressDisplay:
    return Bars() if sys.stderr.isatty() else Lines()


class Bars:
    """A bar for each file that is being read."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[message]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, name: str, progress: ReadProgress) -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task("", name=name, message="")
        self._progress.update(
            self._bars[name],
            completed=progress.pages_done,
            total=progress.num_pages,
            message=progress.message,
        )

    def finish(self, name: str) -> None:
        bar = self._bars.pop(name, None)
        if bar is not None:
            self._progress.remove_task(bar)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Lines:
    """For logs: a line when something has changed, every few seconds at most."""

    def __init__(self, *, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._said_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def update(self, name: str, progress: ReadProgress) -> None:
        now = time.monotonic()
        if now - self._said_at.setdefault(name, now) >= self._seconds:
            self._said_at[name] = now
            self.say(f"{name}: {progress.message}")

    def finish(self, name: str) -> None:
        self._said_at.pop(name, None)

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
