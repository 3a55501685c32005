"""Every exception that leaves a route becomes a problem document here."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from folio.api.disconnect import ClientDisconnectedError
from folio.api.problems import folio_problem, problem_response
from folio.errors import FolioError, StorageUnavailableError, UnsupportedMediaTypeError

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499  # as nginx calls it
_FORM_TYPE = "multipart/form-data"
_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
}


def add_error_handlers(app: FastAPI) -> None:
    """Register a handler for our errors and the framework's; CatchAll takes everything else."""
    app.add_exception_handler(FolioError, _on_folio_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnectedError, _on_disconnect)
    app.add_middleware(CatchAll)


def _on_folio_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FolioError)
    log.info("%s %s: %s (%s)", request.method, request.url.path, error.code, error.message)
    return folio_problem(error)


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    content_type = request.headers.get("content-type", "")
    if request.method == "POST" and not content_type.startswith(_FORM_TYPE):
        return folio_problem(
            UnsupportedMediaTypeError(
                f"The request's content type is {content_type or 'missing'}. "
                f"Send {_FORM_TYPE} with the file in its field, as `curl -F image=@page.png` does."
            )
        )
    fields = [_field_error(item) for item in error.errors()]
    return problem_response(
        422,
        code="validation_error",
        title="Validation error",
        detail="; ".join(f"{item['field']}: {item['message']}" for item in fields),
        errors=fields,
    )


def _field_error(item: dict[str, Any]) -> dict[str, str]:
    *_, field = item["loc"]
    return {"field": str(field), "message": item["msg"]}


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # not the request's fault that it could not be read
        log.error("%s %s: an upload cannot be kept", request.method, request.url.path)
        return folio_problem(
            StorageUnavailableError(
                f"The upload cannot be kept ({error.__cause__.strerror}). Free some space where "
                "the service keeps temporary files (TMPDIR) and try again."
            )
        )
    title = HTTPStatus(error.status_code).phrase
    return problem_response(
        error.status_code,
        code=_HTTP_CODES.get(error.status_code, "invalid_input"),
        title=title,
        detail=f"{request.method} {request.url.path}: {error.detail}",
        headers=error.headers,
    )


def _on_disconnect(request: Request, _error: Exception) -> Response:
    log.info("%s %s: the client went away, reading stopped", request.method, request.url.path)
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # nobody reads it


class CatchAll:
    """ASGI middleware: what nobody expected is logged here, once, and answered with 500.

    A handler for Exception would see it logged a second time, by the web server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            await _internal_error()(scope, receive, send)


def _internal_error() -> JSONResponse:
    return problem_response(
        500,
        code="internal_error",
        title="Internal error",
        detail="Something went wrong inside the service. Its log has the traceback.",
    )
