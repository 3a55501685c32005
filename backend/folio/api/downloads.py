"""Answers that are files out of the storage."""

import asyncio
from urllib.parse import quote

from fastapi.responses import Response, StreamingResponse

from folio.jobs.filenames import stem_of
from folio.jobs.keys import ResultKind
from folio.jobs.pictures import shrink
from folio.jobs.service import StoredFile

_RESULT_TYPES = {
    ResultKind.MARKDOWN: "text/markdown; charset=utf-8",
    ResultKind.JSON: "application/json",
    ResultKind.ZIP: "application/zip",
}
# What users upload decides what is in these files: no browser is to guess at their type.
_SNIFF_NOTHING = {"X-Content-Type-Options": "nosniff"}
_CACHE_CONTROL = "private, max-age=3600"


def result_download(file: StoredFile, filename: str, kind: ResultKind) -> StreamingResponse:
    """An artefact under the name of the document that it was made from."""
    return StreamingResponse(
        file.chunks,
        media_type=_RESULT_TYPES[kind],
        headers=_headers(file)
        | {"Content-Disposition": content_disposition(f"{stem_of(filename)}.{kind}")},
    )


def picture(file: StoredFile) -> StreamingResponse:
    """A JPEG of ours. It never changes while its task is there."""
    return StreamingResponse(
        file.chunks,
        media_type="image/jpeg",
        headers=_headers(file) | {"Cache-Control": _CACHE_CONTROL},
    )


async def shrunk_picture(file: StoredFile, width: int) -> Response:
    """A JPEG of ours, at most so many pixels wide."""
    jpeg = b"".join([chunk async for chunk in file.chunks])
    small = await asyncio.to_thread(shrink, jpeg, width)
    return Response(
        small, media_type="image/jpeg", headers=_SNIFF_NOTHING | {"Cache-Control": _CACHE_CONTROL}
    )


def content_disposition(filename: str) -> str:
    """RFC 6266: the name in full for those who know `filename*`, an ASCII likeness for others."""
    ascii_name = "".join(
        char if " " <= char <= "~" and char not in '"\\%' else "_" for char in filename
    )
    plain = f'attachment; filename="{ascii_name}"'
    if ascii_name == filename:
        return plain
    return f"{plain}; filename*=UTF-8''{quote(filename, safe='')}"


def _headers(file: StoredFile) -> dict[str, str]:
    return _SNIFF_NOTHING | {"Content-Length": str(file.num_bytes)}
