"""The checks as a person reads them, and as a program does."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from folio import __version__
from folio.cli.doctor.check import Check, Status

_MARKS = {Status.OK: ("✓", "ok", "green"), Status.WARNING: ("!", "!!", "yellow")}
_MARKS[Status.FAILURE] = ("✗", "NO", "red")


def worst(checks: Sequence[Check]) -> Status:
    statuses = {check.status for check in checks}
    return next((s for s in (Status.FAILURE, Status.WARNING) if s in statuses), Status.OK)


def as_json(checks: Sequence[Check]) -> str:
    return json.dumps(
        {
            "version": __version__,
            "status": worst(checks).value,
            "checks": [
                {
                    "name": check.name,
                    "status": check.status.value,
                    "detail": check.detail,
                    "advice": check.advice,
                }
                for check in checks
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def print_report(checks: Sequence[Check], console: Console) -> None:
    """A line for each check, what to do under it, and a sum at the end."""
    is_plain = (console.encoding or "").lower() not in ("utf-8", "utf8")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, plain_mark, colour = _MARKS[check.status]
        told = Text(check.detail)
        if check.advice:
            arrow = "->" if is_plain else "→"
            told.append(f"\n{arrow} {check.advice}", style=colour)
        table.add_row(Text(plain_mark if is_plain else mark, style=colour), check.name, told)
    console.print()
    console.print(Padding(table, (0, 2), expand=False))
    console.print()
    console.print(Padding(_sum_up(checks), (0, 2), expand=False))


def _sum_up(checks: Sequence[Check]) -> Text:
    failures, warnings = (
        sum(check.status is status for check in checks)
        for status in (Status.FAILURE, Status.WARNING)
    )
    if failures:
        things = "One thing" if failures == 1 else f"{failures} things"
        return Text(f"{things} must be mended before Folio can work.", style="red")
    if warnings:
        return Text("Folio can work; what is marked may not be as you want it.", style="yellow")
    return Text("All is well.", style="green")
