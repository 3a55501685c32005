"""Blocks -> Markdown and plain text. Pure; the text of a page is never altered in its meaning."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from folio.pipeline.escaping import escape_line, escape_markdown
from folio.pipeline.grounding import FIGURE_LABELS, TITLE_LABELS
from folio.pipeline.results import Block, BoundingBox
from folio.pipeline.tables import split_tables, to_rows, to_safe_html

_NO_LINKS: Mapping[BoundingBox, str] = {}

_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_CENTERED = re.compile(r"\s*<center>(.*)</center>\s*", re.DOTALL)
_CLOSING_HEADING_SIGNS = re.compile(r"(?<=\s)(?=#+$)")
# LaTeX of rare packages that renderers do not know.
_LATEX = (
    (re.compile(r"\\coloneqq(?![A-Za-z])"), ":="),
    (re.compile(r"\\eqqcolon(?![A-Za-z])"), "=:"),
)


def to_markdown(
    blocks: Iterable[Block], *, figure_links: Mapping[BoundingBox, str] = _NO_LINKS
) -> str:
    """The page in Markdown; tables stay HTML tables, all other HTML is escaped.

    `figure_links` says where each figure's picture lies; a figure without one leaves no trace
    but its text.
    """
    if not figure_links:
        return _join(blocks, _render_unlinked)
    return _join(blocks, lambda block: _render_markdown(block, figure_links))


def to_plain_text(blocks: Iterable[Block]) -> str:
    """The page's text: no tags, no heading signs, tables as rows of tab-separated cells."""
    return _join(blocks, _render_text)


def figure_boxes(blocks: Iterable[Block]) -> list[BoundingBox]:
    """Every figure's box, once, in reading order: what `figure_links` can have links for."""
    figures = (block for block in blocks if block.label in FIGURE_LABELS)
    return list(dict.fromkeys(box for block in figures for box in block.boxes))


def _join(blocks: Iterable[Block], render: Callable[[Block], str]) -> str:
    """Lines of one text under each other, everything else a blank line apart."""
    page, was_verbatim = "", False
    for block in blocks:
        text = render(block)
        if not text:
            continue
        if page:
            page += "\n" if was_verbatim and block.is_verbatim else "\n\n"
        page, was_verbatim = page + text, block.is_verbatim
    return page


# A page's blocks are rendered for the page, for its record and for the answer, one after the other.
_of_some_pages = lru_cache(maxsize=256)


@_of_some_pages
def _render_unlinked(block: Block) -> str:
    return _render_markdown(block, _NO_LINKS)


@_of_some_pages
def _render_text(block: Block) -> str:
    text = _clean(block)
    if block.is_verbatim:
        return text
    if _is_heading(block, text):
        text = _HEADING.sub("", text, count=1)
    pieces = (
        "\n".join("\t".join(row) for row in to_rows(piece)) if is_table else piece.strip("\n")
        for is_table, piece in split_tables(text)
    )
    return "\n".join(pieces)


def _render_markdown(block: Block, figure_links: Mapping[BoundingBox, str]) -> str:
    if block.is_verbatim:
        return escape_line(_clean(block))
    links = [figure_links[box] for box in block.boxes if box in figure_links]
    figures = [f"![]({link})" for link in links if block.label in FIGURE_LABELS]
    text = _clean(block)
    rendered = (
        _render_heading(block, text) if _is_heading(block, text) else _render_body(block, text)
    )
    return "\n\n".join(part for part in [*figures, rendered] if part)


def _render_body(block: Block, text: str) -> str:
    # With boxes the model labels its headings; lines beginning with # elsewhere are code.
    keep_headings = not block.boxes or block.label in TITLE_LABELS
    pieces = (
        to_safe_html(piece)
        if is_table
        else escape_markdown(piece.strip("\n"), keep_headings=keep_headings)
        for is_table, piece in split_tables(text)
    )
    return "\n\n".join(pieces)


def _render_heading(block: Block, text: str) -> str:
    """The heading as the model wrote it, or by its label; what follows it stays below it."""
    written = _HEADING.match(text)
    if written is None:
        signs = "##" if block.label in ("sub_title", "paragraph_title") else "#"
        return f"{signs} {_heading_line(' '.join(text.split()))}"
    line, _, rest = text[written.end() :].partition("\n")
    body = _render_body(block, rest)
    return f"{written[1]} {_heading_line(line)}" + (f"\n\n{body}" if body else "")


def _heading_line(line: str) -> str:
    return _CLOSING_HEADING_SIGNS.sub(r"\\", escape_markdown(line.strip()))


def _is_heading(block: Block, text: str) -> bool:
    if block.label in TITLE_LABELS:
        return bool(text)
    # Another label, but nothing in the block except a heading.
    return bool(block.boxes) and "\n" not in text and _HEADING.match(text) is not None


def _clean(block: Block) -> str:
    text = block.text
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    centered = _CENTERED.fullmatch(text) if block.label.endswith(("caption", "title")) else None
    return centered[1].strip() if centered else text
