"""How the text of a page comes back from an engine in another process.

One line of JSON for each output, the last one with a finish_reason; where the reading broke off, a
problem document stands in its place.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Literal

from pydantic import BaseModel, TypeAdapter

from folio.engine.base import GenerationOutput
from folio.errors import (
    EngineFailedError,
    EngineNotReadyError,
    EngineOverloadedError,
    EngineTimeoutError,
    FolioError,
    ForbiddenError,
    ImageTooLargeError,
    InvalidInputError,
    RequestCanceledError,
    ShuttingDownError,
    UnauthorizedError,
    UploadTooLargeError,
)

LINES_MEDIA_TYPE = "application/x-ndjson"

_MAX_LINE_BYTES = 4 * 1024 * 1024
_MAX_RETRY_AFTER_SECONDS = 60

_ERRORS: Mapping[str, type[FolioError]] = {
    error.code: error
    for error in (
        EngineFailedError,
        EngineNotReadyError,
        EngineTimeoutError,
        ForbiddenError,
        ImageTooLargeError,
        InvalidInputError,
        RequestCanceledError,
        ShuttingDownError,
        UnauthorizedError,
        UploadTooLargeError,
    )
}
_OUTPUT = TypeAdapter(GenerationOutput)


class Problem(BaseModel):
    """RFC 9457, as the HTTP service writes it. Its first field tells it from an output."""

    type: Literal["about:blank"] = "about:blank"
    title: str = ""
    status: int
    detail: str
    code: str
    retry_after_seconds: int | None = None

    def as_error(self) -> FolioError:
        """The error that it speaks of; a FolioError where its code is not an engine's."""
        if self.code == EngineOverloadedError.code:
            seconds = min(max(1, self.retry_after_seconds or 1), _MAX_RETRY_AFTER_SECONDS)
            return EngineOverloadedError(self.detail, retry_after_seconds=seconds)
        return _ERRORS.get(self.code, FolioError)(self.detail)


def encode_output(output: GenerationOutput) -> bytes:
    """One line."""
    return _OUTPUT.dump_json(output) + b"\n"


def encode_error(error: FolioError) -> bytes:
    """One line: the last of an answer that broke off."""
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=error.message,
        code=error.code,
        retry_after_seconds=getattr(error, "retry_after_seconds", None),
    )
    return problem.model_dump_json().encode() + b"\n"


def decode_line(line: bytes) -> GenerationOutput:
    """The output that a line holds. Raises the FolioError that it holds, else ValueError."""
    if line.startswith(b'{"type":'):
        raise Problem.model_validate_json(line).as_error()
    return _OUTPUT.validate_json(line, strict=True)


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines of a stream, without their ends; what follows the last end is dropped.

    Raises ValueError for a line that no engine would write.
    """
    pending = bytearray()
    async for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield bytes(pending) + end
            pending.clear()
        pending += rest
        if len(pending) > _MAX_LINE_BYTES:
            raise ValueError("a line of the answer has no end")
