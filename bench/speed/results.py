"""What was measured, kept in one JSON over many runs, and its table."""

import json
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.speed.measuring import Plan

_COLUMNS = (
    ("pages/s", "pages_per_second", "{:.2f}"),
    ("overall", "pages_per_second_overall", "{:.2f}"),
    ("tokens/s", "output_tokens_per_second", "{:.0f}"),
    ("p50 s", "latency_p50_seconds", "{:.2f}"),
    ("p99 s", "latency_p99_seconds", "{:.2f}"),
    ("GPU %", "gpu_busy_percent", "{:.0f}"),
    ("CPU s/page", "cpu_seconds_per_page", "{:.3f}"),
    ("GPU MB", "gpu_megabytes", "{:.0f}"),
)


class Results:
    """A file with a record per server, format, mode, number of tokens and concurrency."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, dict[str, Any]] = (
            json.loads(path.read_text()) if path.exists() else {}
        )

    def add(
        self, label: str, file_format: str, mode: str, plan: Plan, figures: dict[str, Any]
    ) -> None:
        """Written at once: the next figure may never come."""
        key = (
            f"{label}, {file_format}, {mode}, {plan.num_tokens} tokens, {plan.concurrency} at once"
        )
        self._records[key] = {
            "server": label,
            "format": file_format,
            "mode": mode,
            **asdict(plan),
            "machine": describe_machine(),
            **figures,
        }
        self._path.write_text(json.dumps(self._records, indent=1))

    @staticmethod
    def line(label: str, plan: Plan, figures: dict[str, Any]) -> str:
        start = f"{label}, {plan.num_tokens} tokens, {plan.concurrency} at once:"
        if "pages_per_second" not in figures:
            return f"{start} no figure: {figures}"
        rate, cpu_seconds = figures["pages_per_second"], figures["cpu_seconds_per_page"]
        return f"{start} {rate:.2f} pages/s, {cpu_seconds:.3f} CPU s a page"

    def table(self) -> str:
        """Markdown, with the ratio to stock vLLM where there is one."""
        names = [name for name, *_ in _COLUMNS]
        head = ["server", "tokens", "at once", *names, "x stock"]
        rows = [head, ["---"] * len(head)]
        for record in sorted(self._records.values(), key=_order):
            if "pages_per_second" not in record:
                continue
            cells = [
                shape.format(record[key]) if record.get(key) is not None else "-"
                for _, key, shape in _COLUMNS
            ]
            server = f"{record['server']} ({record['format']}, {record['mode']})"
            ends = str(record["num_tokens"]), str(record["concurrency"])
            rows.append([server, *ends, *cells, self._ratio(record)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _ratio(self, record: dict[str, Any]) -> str:
        for other in self._records.values():
            if "pages_per_second" not in other or other["server"].split()[0] != "stock":
                continue
            if all(other[key] == record[key] for key in ("format", "num_tokens", "concurrency")):
                return f"{record['pages_per_second'] / other['pages_per_second']:.2f}"
        return "-"


def _order(record: dict[str, Any]) -> tuple[Any, ...]:
    return (
        record["num_tokens"],
        record["concurrency"],
        record["server"] != "stock",
        record["server"],
    )


def describe_machine() -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
        cards = done.stdout.split("\n")[:-1]
        return f"{len(cards)} x {cards[0]}" if cards else "no GPU"
    except (OSError, subprocess.SubprocessError):
        return f"no GPU, {platform.machine()}"
