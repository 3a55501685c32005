"""RFC 9457 problem documents: the one shape of every error answer."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

from folio.api.schemas import ProblemResponse
from folio.errors import EngineNotReadyError, EngineOverloadedError, FolioError, UnauthorizedError
from folio.telemetry.metrics import PROBLEMS

MEDIA_TYPE = "application/problem+json"
NOT_READY_RETRY_SECONDS = 10

_MEANINGS = {
    400: "invalid_input: an unknown mode, a bad page range, an empty file",
    404: "task_not_found, stored_file_not_found",
    409: "task_not_finished, task_already_finished",
    413: "upload_too_large, image_too_large",
    415: "unsupported_media_type: told by content, not by name",
    422: "corrupt_image, corrupt_document, encrypted_document, validation_error",
    429: "engine_overloaded, with Retry-After",
    500: "engine_failed: engine after engine has ended on this page",
    503: "engine_not_ready, shutting_down, storage_unavailable",
    504: "engine_timeout",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's documentation: the error answers that it may give."""
    content = {MEDIA_TYPE: {"schema": ProblemResponse.model_json_schema()}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


def problem_response(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """An error answer, counted. `detail` says what to do; `code` is what programs look at."""
    PROBLEMS.labels(code).inc()
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(
        body | {"code": code} | extensions,
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def folio_problem(error: FolioError) -> JSONResponse:
    """The answer for an error of ours, with Retry-After where waiting helps."""
    headers = {}
    if isinstance(error, EngineOverloadedError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, EngineNotReadyError):
        headers["Retry-After"] = str(NOT_READY_RETRY_SECONDS)
    elif isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(
        error.status,
        code=error.code,
        title=error.title,
        detail=error.message,
        headers=headers,
        **error.values,
    )
