"""Tables as the model writes them, in HTML: found in text, made safe, read as rows.

Source: <table><tr><td>..</td></tr></table>, at times with rowspan and colspan, with cells or
rows left open, or with a row inside a row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from folio.pipeline.escaping import escape_html

_TAG = re.compile(r"<(/?)(table|thead|tbody|tfoot|tr|td|th|caption)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTES = re.compile(
    r"(?:\s+(?:rowspan|colspan|border|style|align|valign|class|width)"
    r"\s*=\s*(?:\"[^\"]*\"|'[^']*'|\w+))*\s*",
    re.IGNORECASE,
)
_SPAN = re.compile(r"\b(rowspan|colspan)\s*=\s*[\"']?(\d{1,4})", re.IGNORECASE)
# What the model uses inside cells. Without attributes these can do no harm.
_INLINE_TAG = re.compile(r"&lt;(/?(?:sup|sub)|br\s?/?)>")
_BLANK_LINES = re.compile(r"\n\s*\n")
_CELLS = frozenset({"td", "th", "caption"})
_MAX_SPAN = 100  # columns or rows; a model that counts on would fill the memory


@dataclass(frozen=True)
class _Tag:
    name: str
    is_closing: bool
    column_span: int
    row_span: int
    start: int
    end: int

    def __str__(self) -> str:
        """The tag as it may go into a page: its name and spans, nothing else."""
        spans = {"rowspan": self.row_span, "colspan": self.column_span}
        written = "".join(f' {name}="{span}"' for name, span in spans.items() if span > 1)
        return f"<{'/' * self.is_closing}{self.name}{written}>"


def split_tables(text: str) -> Iterator[tuple[bool, str]]:
    """Pieces of the text in order, each with whether it is a table.

    `<table>` without a row or cell is no table, nor is one that is never closed and has words
    before its first row: the page has the tag printed on it.
    """
    position = 0
    for start, end in _find_tables(text):
        if text[position:start].strip():
            yield False, text[position:start]
        yield True, text[start:end]
        position = end
    if text[position:].strip():
        yield False, text[position:]


def to_safe_html(table: str) -> str:
    """The table with nothing but table tags and their spans; all else in it is text.

    Without blank lines, at which Markdown would end the table.
    """
    parts: list[str] = []
    position = depth = 0
    for tag in _read_tags(table):
        parts += [_escape_cell(table[position : tag.start]), str(tag)]
        depth += (-1 if tag.is_closing else 1) * (tag.name == "table")
        position = tag.end
    parts += [_escape_cell(table[position:]), "</table>" * max(depth, 0)]
    return _BLANK_LINES.sub("\n", "".join(parts)).strip()


def to_rows(table: str) -> list[list[str]]:
    """The table's cells as text. Cells that span others leave empty ones behind.

    Text that stands outside of every cell makes a row of its own.
    """
    grid = _Grid()
    position = 0
    for tag in _read_tags(table):
        grid.add_text(table[position : tag.start])
        grid.take(tag)
        position = tag.end
    grid.add_text(table[position:])
    grid.end_row()
    return grid.rows


@dataclass
class _Grid:
    rows: list[list[str]] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    spans: dict[int, int] = field(default_factory=dict)  # column -> rows that it still covers
    is_in_cell: bool = False

    def take(self, tag: _Tag) -> None:
        if tag.name not in _CELLS:
            self.end_row()
        elif tag.is_closing:
            self.is_in_cell = False
        else:
            self._start_cell(tag)

    def add_text(self, text: str) -> None:
        words = " ".join(text.split())
        if not words:
            return
        if self.is_in_cell:
            self.row[self.cell] = words
        else:
            self.end_row()
            self.rows.append([words])

    def end_row(self) -> None:
        self.is_in_cell = False
        if self.row:
            self._skip_covered()
            self.rows.append(self.row)
        self.row = []

    def _start_cell(self, tag: _Tag) -> None:
        self._skip_covered()
        self.is_in_cell, self.cell = True, len(self.row)
        for column in range(self.cell, self.cell + tag.column_span):
            self.row.append("")
            if tag.row_span > 1:
                self.spans[column] = tag.row_span - 1

    def _skip_covered(self) -> None:
        while (left := self.spans.get(len(self.row), 0)) > 0:
            self.spans[len(self.row)] = left - 1
            self.row.append("")


def _find_tables(text: str) -> Iterator[tuple[int, int]]:
    depth = start = 0
    is_table = is_direct = False
    last: _Tag | None = None
    for tag in _read_tags(text):
        if depth == 0 and (tag.name != "table" or tag.is_closing):
            continue
        if depth == 0:
            start, is_table, is_direct = tag.start, False, False
        elif not is_table and tag.name != "table":
            is_table = True
            is_direct = last is not None and not text[last.end : tag.start].strip()
        if tag.name == "table":
            depth += -1 if tag.is_closing else 1
            if depth == 0 and is_table:
                yield start, tag.end
        last = tag
    if depth and is_table and is_direct and last is not None:
        # Cut off: an open cell's text goes on to the end.
        yield start, last.end if last.is_closing else len(text)


def _read_tags(text: str) -> Iterator[_Tag]:
    for match in _TAG.finditer(text):
        if not _ATTRIBUTES.fullmatch(match[3]):
            continue
        spans = {name.lower(): min(int(span), _MAX_SPAN) for name, span in _SPAN.findall(match[3])}
        yield _Tag(
            name=match[2].lower(),
            is_closing=bool(match[1]),
            column_span=max(spans.get("colspan", 1), 1),
            row_span=max(spans.get("rowspan", 1), 1),
            start=match.start(),
            end=match.end(),
        )


def _escape_cell(text: str) -> str:
    return _INLINE_TAG.sub(r"<\1>", escape_html(text))
