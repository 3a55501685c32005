"""Every request has an id, is counted and timed."""

import re
import time
import uuid
from contextlib import AbstractContextManager, nullcontext

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from folio.telemetry.context import working_on
from folio.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from folio.telemetry.tracing import span

REQUEST_ID_HEADER = "X-Request-ID"
_GOOD_ID = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_OTHER = "other"
_TRACED = ("/api/", "/internal/")
_TRACE_HEADERS = ("traceparent", "tracestate")


class RequestTelemetry:
    """ASGI middleware. A client's X-Request-ID is kept, where it is one; else a new id is made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = 0
        started = time.monotonic()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with working_on(request_id=request_id), _span(scope):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                _count(scope, status, time.monotonic() - started)


def _span(scope: Scope) -> AbstractContextManager[object]:
    """A caller's trace goes on. Health, metrics and the web page's files are no part of any."""
    if not scope["path"].startswith(_TRACED):
        return nullcontext()
    parent = {name: value for name, value in Headers(scope=scope).items() if name in _TRACE_HEADERS}
    return span(f"{scope['method']} {scope['path']}", kind=SpanKind.SERVER, parent=parent)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex


def _count(scope: Scope, status: int, seconds: float) -> None:
    """By the route's template: addresses are without number."""
    route = getattr(scope.get("route"), "path", _OTHER)
    REQUESTS.labels(scope["method"] if route != _OTHER else "", route, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
