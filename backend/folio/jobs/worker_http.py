"""What a worker process tells over HTTP: its health at /health, its metrics everywhere else.

Answered by threads, so that a worker whose event loop is stuck is told from one that is well.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from folio.jobs.readiness import Trouble

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

HEALTH_PATH = "/health"
HANGS = "The worker's event loop does not answer: it hangs."
_ALL_ADDRESSES = "0.0.0.0"
_PATIENCE_SECONDS = 4.0

FindProblem = Callable[[], str | None]
"""Why the process cannot work on documents now, in words for the operator, or None."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Asked every few seconds, which nobody wants to read."""


def serve_worker(port: int, find_problem: FindProblem) -> None:
    """From now on, in threads of this process. A port that is taken keeps no document waiting."""
    try:
        server = make_server(_ALL_ADDRESSES, port, make_app(find_problem), _Server, _QuietHandler)
    except OSError as error:
        log.error(
            "This process has no /health and no /metrics: port %s cannot be used (%s)", port, error
        )
        return
    threading.Thread(target=server.serve_forever, name="folio-worker-http", daemon=True).start()


def ask_on(
    loop: asyncio.AbstractEventLoop,
    find_trouble: Callable[[], Coroutine[Any, Any, Trouble | None]],
    *,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> str | None:
    """Ask on a loop that another thread runs; one that does not answer is the problem."""
    answer = asyncio.run_coroutine_threadsafe(find_trouble(), loop)
    try:
        trouble = answer.result(patience_seconds)
    except TimeoutError:
        answer.cancel()
        return HANGS
    return trouble.message if trouble else None


def make_app(find_problem: FindProblem) -> "WSGIApplication":
    metrics: WSGIApplication = make_wsgi_app()

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != HEALTH_PATH:
            return metrics(environ, start_response)
        problem = find_problem()
        start_response(
            "503 Service Unavailable" if problem else "200 OK",
            [("Content-Type", "application/json")],
        )
        status = "unhealthy" if problem else "healthy"
        return [json.dumps({"status": status, "reason": problem}).encode()]

    return app
