"""`folio health`: is the service on this machine well? For containers and scripts."""

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import typer

from folio.config import ServerSettings

_TIMEOUT_SECONDS = 5.0


def health(url: str | None) -> None:
    """Exit status 0 where it is healthy, otherwise 1. Asked often, so it imports little."""
    address = (url or f"http://127.0.0.1:{ServerSettings().port}").rstrip("/") + "/health"
    try:
        answer = _ask(address)
    except (OSError, ValueError) as error:
        print(f"unreachable: {address}: {error}")
        raise typer.Exit(1) from None
    print(f"{answer.get('status')}: {answer.get('reason') or answer.get('model')}")
    if answer.get("status") != "healthy":
        raise typer.Exit(1)


def _ask(address: str) -> dict[str, Any]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        response = direct.open(address, timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:  # 503 while it starts, and where something is wrong
        response = error
    with response:
        return dict(json.load(response))
