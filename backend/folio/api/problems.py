"""RFC 9457 problem documents: the one shape of every error answer."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

from folio.errors import EngineNotReadyError, EngineOverloadedError, FolioError

MEDIA_TYPE = "application/problem+json"
NOT_READY_RETRY_SECONDS = 10


def problem_response(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """An error answer. `detail` says what to do; `code` is what programs look at."""
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
    return problem_response(
        error.status, code=error.code, title=error.title, detail=error.message, headers=headers
    )
