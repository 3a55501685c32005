"""Pages -> a document in Markdown and in JSON. Pure, and page by page: a long document is never
in memory as a whole.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from folio.db import PageStatus
from folio.pipeline.escaping import escape_line

# Fenced code is the one place where a page's text could look like our comment between pages.
_PAGE_MARK = re.compile(r"<(?=!--\s*page\s+\d+\s*-->)", re.IGNORECASE)


@dataclass(frozen=True)
class DocumentPage:
    """A page with its outcome, in JSON's types. `attempts`: all that the model was asked, in order.

    `markdown` links figures by their places beside the document. width and height: pixels of the
    page as it was rendered, which the blocks' boxes refer to.
    """

    page_number: int
    status: PageStatus
    reason: str | None = None
    reason_code: str | None = None
    mode: str | None = None
    markdown: str = ""
    text: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None

    @property
    def raw_text(self) -> str:
        """What the model wrote for this result; both halves of a page that was read in halves."""
        kept = [attempt for attempt in self.attempts if attempt.get("is_kept")]
        return "\n".join(attempt["raw_text"] for attempt in kept or self.attempts[-1:])


@dataclass(frozen=True)
class DocumentResult:
    """What a document's result says besides its pages. `options` as the user gave them."""

    task_id: str
    filename: str
    options: dict[str, Any]
    num_pages: int
    queued_at: datetime
    started_at: datetime | None = None


def render_markdown(page: DocumentPage) -> str:
    """One page's part of document.md, with the comment that begins it.

    Whatever is wrong with a page stands in its place, as a quotation.
    """
    note = _note(page)
    body = _PAGE_MARK.sub("< ", page.markdown.replace("\0", "\ufffd"))
    parts = [f"<!-- page {page.page_number} -->", note and f"> {note}", body]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_parts(pages: Iterable[DocumentPage]) -> Iterator[str]:
    """document.md in pieces, to be written one after the other."""
    for index, page in enumerate(pages):
        yield ("\n" if index else "") + render_markdown(page)


class JsonWriter:
    """document.json in pieces: head(), page() for each page, tail(). Counts what passes by."""

    def __init__(self, document: DocumentResult) -> None:
        self._document = document
        self._num_pages = 0
        outcomes = (status for status in PageStatus if status is not PageStatus.PENDING)
        self._counts: dict[PageStatus, int] = dict.fromkeys(outcomes, 0)
        self._model: str | None = None
        self._finished_at: datetime | None = None

    def head(self) -> str:
        document = self._document
        facts = {
            "task_id": document.task_id,
            "filename": document.filename,
            "options": document.options,
            "num_pages": document.num_pages,
        }
        return _dump(facts)[:-1] + ', "pages": ['

    def page(self, page: DocumentPage) -> str:
        self._count(page)
        comma = "," if self._num_pages > 1 else ""
        return f"{comma}\n{_dump(page_json(page))}"

    def tail(self) -> str:
        """Behind the pages stands what is known when all of them have been seen."""
        facts = {"counts": self._counts, "model": self._model, "timing": self._timing()}
        return "\n], " + _dump(facts)[1:] + "\n"

    def _count(self, page: DocumentPage) -> None:
        self._num_pages += 1
        self._counts[page.status] = self._counts.get(page.status, 0) + 1
        self._model = self._model or next(
            (attempt["model"] for attempt in page.attempts if attempt.get("model")), None
        )
        if page.finished_at is not None:
            self._finished_at = max(page.finished_at, self._finished_at or page.finished_at)

    def _timing(self) -> dict[str, Any]:
        queued_at, end = self._document.queued_at, self._finished_at
        duration = None if end is None else max(0, round((end - queued_at).total_seconds() * 1000))
        return {
            "queued_at": _instant(queued_at),
            "started_at": _instant(self._document.started_at),
            "finished_at": _instant(end),
            "duration_ms": duration,
        }


def json_parts(document: DocumentResult, pages: Iterable[DocumentPage]) -> Iterator[str]:
    """document.json in pieces, to be written one after the other."""
    writer = JsonWriter(document)
    yield writer.head()
    yield from map(writer.page, pages)
    yield writer.tail()


def page_json(page: DocumentPage) -> dict[str, Any]:
    """A page as it stands in document.json. Clients rely on the names."""
    return {
        "page_number": page.page_number,
        "status": page.status,
        "reason": page.reason,
        "reason_code": page.reason_code,
        "mode": page.mode,
        "markdown": page.markdown,
        "text": page.text,
        "raw_text": page.raw_text,
        "attempts": page.attempts,
        "blocks": page.blocks,
        "width": page.width,
        "height": page.height,
        "usage": page.usage,
        "timing": {
            "started_at": _instant(page.started_at),
            "finished_at": _instant(page.finished_at),
            "duration_ms": page.duration_ms,
        },
    }


def to_bytes(part: str) -> bytes:
    """UTF-8. Half a surrogate pair, which has none, becomes a question mark."""
    return part.encode("utf-8", "replace")


def _note(page: DocumentPage) -> str | None:
    """What a reader must know about the page; None where it was read to its end."""
    number = f"Page {page.page_number}"
    reason = escape_line(" ".join((page.reason or "The reason is unknown.").split()))
    match page.status:
        case PageStatus.FAILED:
            return f"{number} could not be read: {reason}"
        case PageStatus.TRUNCATED:
            return f"{number} was not read to its end: {reason}"
        case PageStatus.BLANK:
            return f"{number} is blank."
        case PageStatus.PENDING:
            return f"{number} was not read."
        case _:
            return None


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, separators=(", ", ": "))


def _instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the microsecond or less."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")
