"""Pages -> document.md and document.json, in pieces."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from folio.db import PageStatus
from folio.pipeline.document import (
    DocumentPage,
    DocumentResult,
    json_parts,
    markdown_parts,
    page_json,
    to_bytes,
)

QUEUED_AT = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)


def page(number: int = 1, markdown: str = "Hello", **facts: object) -> DocumentPage:
    facts = {"status": PageStatus.OK, "text": markdown, **facts}
    return DocumentPage(page_number=number, markdown=markdown, **facts)  # type: ignore[arg-type]


def document(num_pages: int = 1, **facts: object) -> DocumentResult:
    facts = {"task_id": "id", "filename": "a.pdf", "options": {"mode": "auto"}, **facts}
    return DocumentResult(num_pages=num_pages, queued_at=QUEUED_AT, **facts)  # type: ignore[arg-type]


def to_markdown(*pages: DocumentPage) -> str:
    return "".join(markdown_parts(pages))


def to_json(*pages: DocumentPage, **facts: object) -> dict:
    return json.loads("".join(json_parts(document(len(pages), **facts), pages)))


def attempt(raw_text: str, *, is_kept: bool = False, model: str | None = None) -> dict:
    return {"rung": "asked", "raw_text": raw_text, "is_kept": is_kept, "model": model}


def test_pages_are_parted_by_comments_with_their_numbers() -> None:
    assert to_markdown(page(2, "two"), page(7, "seven")) == (
        "<!-- page 2 -->\n\ntwo\n\n<!-- page 7 -->\n\nseven\n"
    )


def test_no_pages_are_no_markdown() -> None:
    assert to_markdown() == ""


@pytest.mark.parametrize(
    ("status", "note"),
    [
        (PageStatus.FAILED, "> Page 3 could not be read: It is torn."),
        (PageStatus.TRUNCATED, "> Page 3 was not read to its end: It is torn."),
        (PageStatus.BLANK, "> Page 3 is blank."),
        (PageStatus.PENDING, "> Page 3 was not read."),
    ],
)
def test_what_is_wrong_with_a_page_stands_in_its_place(status: PageStatus, note: str) -> None:
    text = to_markdown(page(3, "", status=status, reason="It is torn."))
    assert text == f"<!-- page 3 -->\n\n{note}\n"


@pytest.mark.parametrize("status", [PageStatus.OK, PageStatus.RETRIED])
def test_a_page_that_was_read_has_no_note(status: PageStatus) -> None:
    assert ">" not in to_markdown(page(3, "a", status=status, reason="Twice.")).split("\n", 1)[1]


def test_what_was_read_of_a_truncated_page_follows_the_note() -> None:
    text = to_markdown(page(1, "the text", status=PageStatus.TRUNCATED, reason="Too full."))
    assert text.endswith("Too full.\n\nthe text\n")


def test_a_reason_stays_one_line_of_text() -> None:
    reason = "mupdf: <b>*bad*</b>\n\n<!-- page 9 -->\n# no heading"
    text = to_markdown(page(1, "", status=PageStatus.FAILED, reason=reason))
    assert text.count("\n") == 3
    assert "<b>" not in text
    assert text.count("<!-- page") == 1


def test_a_missing_reason_is_said() -> None:
    text = to_markdown(page(1, "", status=PageStatus.FAILED))
    assert "could not be read: The reason is unknown." in text


@pytest.mark.parametrize(
    "printed", ["<!-- page 3 -->", "<!--page 3-->", "<!--\tPage  12 \n-->", "x <!-- page 3 --> y"]
)
def test_a_page_that_shows_our_comment_does_not_part_the_document(printed: str) -> None:
    text = to_markdown(page(1, f"```\n{printed}\n```"), page(2, "two"))
    marks = [line for line in text.split("\n") if line.startswith("<!--")]
    assert marks == ["<!-- page 1 -->", "<!-- page 2 -->"]
    assert text.count("<!--") == 2
    assert to_json(page(1, printed))["pages"][0]["markdown"] == printed


def test_the_json_counts_pages_by_status() -> None:
    pages = [page(n, status=status) for n, status in enumerate(PageStatus, 1)]
    counts = to_json(*pages, page(9, status=PageStatus.OK))["counts"]
    assert counts == {"pending": 1, "ok": 2, "retried": 1, "truncated": 1, "blank": 1, "failed": 1}


def test_the_json_of_a_document_without_pages_is_whole() -> None:
    result = to_json()
    assert (result["pages"], result["num_pages"], result["model"]) == ([], 0, None)
    assert result["counts"] == dict.fromkeys(["ok", "retried", "truncated", "blank", "failed"], 0)


def test_the_document_ends_when_its_last_page_does() -> None:
    ends = [QUEUED_AT + timedelta(seconds=seconds) for seconds in (5, 9.25, 7)]
    timing = to_json(*(page(n, finished_at=end) for n, end in enumerate(ends)))["timing"]
    assert timing == {
        "queued_at": "2026-11-24T09:00:00Z",
        "started_at": None,
        "finished_at": "2026-11-24T09:00:09.250000Z",
        "duration_ms": 9250,
    }


def test_the_raw_text_is_that_of_the_answer_that_was_kept() -> None:
    attempts = [attempt("loop"), attempt("best", is_kept=True), attempt("worse")]
    assert page(attempts=attempts).raw_text == "best"


def test_the_raw_text_of_halves_is_both() -> None:
    attempts = [attempt("loop"), attempt("upper", is_kept=True), attempt("lower", is_kept=True)]
    assert page_json(page(attempts=attempts))["raw_text"] == "upper\nlower"


def test_without_a_kept_answer_the_last_one_counts() -> None:
    assert page(attempts=[attempt("a"), attempt("b")]).raw_text == "b"
    assert page().raw_text == ""


def test_the_model_is_told_if_any_page_knows_it() -> None:
    pages = [page(1), page(2, attempts=[attempt("a"), attempt("b", model="nano")])]
    assert to_json(*pages)["model"] == "nano"


@pytest.mark.parametrize(
    "filename", ['a "b".pdf', "a\nb.pdf", "\\", "\u2028", "\0", "\ud83d.pdf", "</script>", ""]
)
def test_any_filename_comes_back(filename: str) -> None:
    data = b"".join(map(to_bytes, json_parts(document(0, filename=filename), [])))
    assert json.loads(data)["filename"] == filename.replace("\ud83d", "?")


def test_text_of_any_origin_becomes_utf_8() -> None:
    hostile = "\ud83d \0 \x07 \U0001f600 \u2028 \ufeff"
    assert to_bytes(to_markdown(page(1, hostile))).decode() == (
        "<!-- page 1 -->\n\n? \ufffd \x07 \U0001f600 \u2028 \ufeff\n"
    )
    data = b"".join(map(to_bytes, json_parts(document(), [page(1, hostile)])))
    assert json.loads(data)["pages"][0]["text"] == hostile.replace("\ud83d", "?")


def test_blocks_of_megabytes_come_through() -> None:
    blocks = [{"label": "text", "text": "x" * 5_000_000, "box": None, "boxes": []}]
    assert to_json(page(1, blocks=blocks))["pages"][0]["blocks"] == blocks


def test_pages_are_asked_for_one_by_one() -> None:
    asked: list[int] = []

    def pages() -> Iterator[DocumentPage]:
        for number in range(1, 2001):
            asked.append(number)
            yield page(number)

    parts = json_parts(document(2000), pages())
    assert "page_number" not in next(parts)
    next(parts)
    assert asked == [1]
    assert next(markdown_parts(pages())).startswith("<!-- page 1 -->")
    assert asked == [1, 1]
