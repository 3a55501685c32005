"""`folio health`: is the service, or the worker, here well? For containers and scripts."""

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import typer

from folio.config import ServerSettings, WorkerSettings

_TIMEOUT_SECONDS = 5.0


def ask_service(url: str | None) -> None:
    """Exit status 0 where it is healthy, otherwise 1. Asked often, so it imports little."""
    address = url or f"http://127.0.0.1:{ServerSettings().port}"
    is_well, line = _look_at(address)
    print(line)
    raise typer.Exit(0 if is_well else 1)


def ask_worker() -> None:
    """The same of all processes of the worker that has these settings."""
    settings = WorkerSettings()
    if settings.worker_metrics_port is None:
        print("unknown: a worker tells its health at WORKER_METRICS_PORT, which is not set")
        raise typer.Exit(1)
    ports = range(
        settings.worker_metrics_port, settings.worker_metrics_port + settings.worker_num_processes
    )
    looks = [_look_at(f"http://127.0.0.1:{port}") for port in ports]
    for line in dict.fromkeys(line for _, line in looks):
        print(line)
    raise typer.Exit(0 if all(is_well for is_well, _ in looks) else 1)


def _look_at(url: str) -> tuple[bool, str]:
    """Whether what is there is well, and the line that says so."""
    address = url.rstrip("/") + "/health"
    try:
        answer = _ask(address)
    except (OSError, ValueError) as error:
        return False, f"unreachable: {address}: {error}"
    status = answer.get("status")
    more = answer.get("reason") or answer.get("model")
    return status == "healthy", f"{status}: {more}" if more else str(status)


def _ask(address: str) -> dict[str, Any]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        response = direct.open(address, timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:  # 503 while it starts, and where something is wrong
        response = error
    with response:
        return dict(json.load(response))
