"""The port of the service, the engines that a worker sends pages to, and the token between them."""

import errno
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx

from folio.cli.doctor.check import Check, failure, ok, warning
from folio.config import ServerSettings, Settings
from folio.engine.wire import INFER_PATH

_TIMEOUT_SECONDS = 5.0
_SHORT_TOKEN = 16


def find_running_service(server: ServerSettings) -> dict[str, Any] | None:
    """What Folio says at this port, if it is Folio that listens there."""
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{server.port}/health", timeout=_TIMEOUT_SECONDS, trust_env=False
        ).json()
    except (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return answer if isinstance(answer, dict) and "inference_engine" in answer else None


def check_port(server: ServerSettings, running: dict[str, Any] | None) -> Check:
    address = f"{server.host}:{server.port}"
    if running is not None:
        detail = f"{address}: Folio {running.get('version')} runs here, {running.get('status')}"
        if running.get("status") == "unhealthy":
            return failure("Port", detail, str(running.get("reason")))
        return ok("Port", detail)
    try:
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((server.host, server.port))
    except OSError as error:
        return failure("Port", f"{address}: {error.strerror}", _mend_port(error))
    return ok("Port", f"{address} is free")


def _mend_port(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "Set PORT to another one, or end the program that listens there (ss -ltnp)."
    if error.errno == errno.EACCES:
        return "Set PORT to 1024 or more: those below are for root."
    return "Set HOST to an address of this machine, or to 0.0.0.0 for all."


def check_token(settings: Settings) -> Check:
    token = settings.server.internal_api_token
    is_needed = bool(settings.jobs.celery_broker_url or settings.worker.worker_remote_infer_url)
    if token is None:
        if not is_needed:
            return ok("Token", "not needed without workers")
        return failure(
            "Token",
            "INTERNAL_API_TOKEN is not set, so that no worker may use the engine",
            "Set it to the same for the service and its workers: openssl rand -hex 32",
        )
    if len(token.get_secret_value()) < _SHORT_TOKEN:
        advice = "Take a longer one, for the service and its workers: openssl rand -hex 32"
        return warning("Token", "INTERNAL_API_TOKEN is short enough to be guessed", advice)
    return ok("Token", "set")


def check_engines(settings: Settings) -> Iterator[Check]:
    """Those of WORKER_REMOTE_INFER_URL, as a worker on this machine would find them."""
    urls = (settings.worker.worker_remote_infer_url or "").split(",")
    token = settings.server.internal_api_token
    for url in filter(None, (url.strip().rstrip("/") for url in urls)):
        yield _check_engine(url, token.get_secret_value() if token else "")


def _check_engine(url: str, token: str) -> Check:
    try:
        with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS) as client:
            status = client.get("/health").json().get("status")
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.post(INFER_PATH, content=b"", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError) as error:
        advice = "Start it, or mend WORKER_REMOTE_INFER_URL; workers wait for it meanwhile."
        return warning("Engine", f"{url} does not answer as Folio does ({error})", advice)
    if answer.status_code in (401, 403):
        advice = "Give the service and its workers the same INTERNAL_API_TOKEN."
        return failure("Engine", f"{url} refuses the token", advice)
    if status != "healthy":
        return warning("Engine", f"{url} is {status}", "Workers wait for it. Look at its log.")
    return ok("Engine", f"{url} is healthy")
