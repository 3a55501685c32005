"""Sets pages: lines, paragraphs, tables, whole pages and columns, in random typefaces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from training.atlas import SIZES, Atlas
from training.canvas import Canvas
from training.corpus import Corpus
from training.page import Page
from training.tables import Table
from training.typesetting import Column, Typesetter

# Of columns side by side, in type sizes: some 25 letters a line.
NARROWEST_COLUMN = 12
# The share of paragraphs among the blocks of a page.
TEXT_KINDS = 0.59


def set_page(
    canvas: Canvas, atlas: Atlas, corpus: Corpus, *, kind: str, sizes: tuple[int, int], budget: int
) -> Page:
    """kind: one of SETTERS; sizes: smallest and largest type in pixels."""
    rng = corpus.rng
    corpus.choose_language()
    setter = Typesetter(canvas, atlas, corpus, sizes, budget)
    column = margins(canvas, rng)
    SETTERS[kind](setter, column)
    if not setter.page.blocks:
        setter.budget = max(setter.budget, 12)
        fallback = Typesetter(canvas, atlas, corpus, (SIZES[0], SIZES[0]), 12)
        fallback.paragraph(
            Column(4, canvas.width - 4, 4, canvas.height), fallback.style(), iter(["1"]), 1
        )
        return fallback.page
    return setter.page


def margins(canvas: Canvas, rng: random.Random) -> Column:
    """Narrow ones, as a full page has, or any: where writing begins must be read, not expected."""
    widest, highest = (0.11, 0.09) if rng.random() < 0.6 else (0.25, 0.3)
    x = rng.uniform(0.012, widest) * canvas.width
    right = canvas.width - rng.uniform(0.012, widest) * canvas.width
    top, bottom = (int(rng.uniform(0.012, highest) * canvas.height) for _ in range(2))
    return Column(x, right, top, canvas.height - bottom)


def set_line(setter: Typesetter, column: Column) -> None:
    rng = setter.rng
    column.y += int(rng.random() ** 1.5 * 0.7 * (column.bottom - column.y))
    for _ in range(rng.randint(1, 3)):
        style = setter.style(size=setter.draw_size(), font=rng.randrange(len(setter.atlas.names)))
        setter.paragraph(column, style, islice(text_stream(setter.corpus), rng.randint(1, 9)), 1)
        column.y += int(style.line_height * rng.uniform(0, 2))


def set_paragraph(setter: Typesetter, column: Column) -> None:
    rng = setter.rng
    column.y += int(rng.random() ** 2 * 0.6 * (column.bottom - column.y))
    if rng.random() < 0.3:
        column.left += rng.uniform(0, 0.3) * column.width
    setter.paragraph(column, setter.style(), text_stream(setter.corpus), rng.randint(2, 9))


def set_table(setter: Typesetter, column: Column) -> None:
    rng = setter.rng
    if rng.random() < 0.3:
        setter.heading(column, level=rng.randint(1, 2))
    style = setter.style()
    if rng.random() < 0.2:
        setter.paragraph(column, style, text_stream(setter.corpus), rng.randint(1, 3))
        column.y += style.line_height // 2
    max_rows = rng.randint(3, 30)
    Table(setter, column, style).draw(max_rows)


def set_flow(setter: Typesetter, column: Column) -> None:
    """Fills the column with text alone, or with blocks of all kinds, until room or budget ends."""
    rng = setter.rng
    range_of_kinds = TEXT_KINDS if rng.random() < 0.35 else 1.0
    style = setter.style()
    gap = rng.uniform(0.2, 1.3)
    while setter.budget > 3 and setter.room(column, style) > 0:
        draw = rng.random() * range_of_kinds
        if draw < 0.03:
            setter.verses(column, style)
        elif draw < TEXT_KINDS:
            lines = rng.randint(2, 12) if rng.random() < 0.8 else 1
            if not setter.paragraph(column, style, text_stream(setter.corpus), lines):
                break
        elif draw < 0.7:
            setter.heading(column, level=2)
        elif draw < 0.79:
            setter.bullet_list(column, style)
        elif draw < 0.85:
            max_rows = rng.randint(2, 9)
            Table(setter, column, style).draw(max_rows)
        elif draw < 0.975:
            setter.picture(column)
        else:
            style = setter.style(font=rng.randrange(len(setter.atlas.names)))
        column.y += int(style.line_height * gap)


def set_page_flow(setter: Typesetter, column: Column) -> None:
    rng = setter.rng
    if rng.random() < 0.45:
        setter.heading(column, level=1)
    if rng.random() < 0.45:
        style = setter.style()
        setter.paragraph(column, style, text_stream(setter.corpus), 99)
        column.y += int(style.line_height * rng.uniform(0, 1))
    set_flow(setter, column)


def set_columns(setter: Typesetter, column: Column) -> None:
    """Two columns, rarely three, read one after the other."""
    rng = setter.rng
    if rng.random() < 0.5:
        setter.heading(column, level=1)
    count = 2 if rng.random() < 0.85 else 3
    gutter = rng.uniform(0.025, 0.08) * setter.canvas.width
    width = (column.width - gutter * (count - 1)) / count
    while setter.size > setter.sizes[0] and width < NARROWEST_COLUMN * SIZES[setter.size]:
        setter.size -= 1
    budget, share = setter.budget, setter.budget // count
    drawn_rule = rng.random() < 0.25
    top = column.y
    for index in range(count):
        left = column.left + index * (width + gutter)
        setter.budget = share
        set_flow(setter, Column(left, left + width, top, column.bottom))
        budget -= share - setter.budget
        if drawn_rule and index:
            setter.canvas.rule(left - gutter / 2, top, left - gutter / 2 + 1, column.bottom, 180)
    setter.budget = budget


def set_blocks(setter: Typesetter, column: Column) -> None:
    """Blocks of few words and pictures, each begun and ended anywhere: where it does must be
    seen."""
    rng = setter.rng
    style = setter.style()
    while setter.budget > 3 and setter.room(column, style) > 0 and rng.random() < 0.95:
        indent = 0.0 if rng.random() < 0.6 else rng.uniform(0, 0.4) * column.width
        part = Column(column.left + indent, column.right, column.y, column.bottom)
        draw = rng.random()
        if draw < 0.4 and setter.page.lines:
            setter.picture(part)
        elif draw < 0.65:
            setter.bullet_list(part, style)
        elif draw < 0.75:
            setter.heading(part, level=2)
        elif draw < 0.85:
            max_rows = rng.randint(1, 5)
            Table(setter, part, style).draw(max_rows)
        else:
            words = islice(text_stream(setter.corpus), rng.randint(1, 12))
            setter.paragraph(part, style, words, 3)
        column.y = part.y + int(style.line_height * rng.uniform(0.2, 1.5))


def text_stream(corpus: Corpus) -> Iterator[str]:
    return corpus.stream(corpus.rng.choices(list(TEXT_STYLES), list(TEXT_STYLES.values()))[0])


TEXT_STYLES = {
    "sentences": 56, "few": 8, "variations": 6, "mixed": 9, "numbers": 4, "forms": 5, "strings": 3,
    "code": 4, "markup": 2, "echo": 3,
}  # fmt: skip
SETTERS = {
    "line": set_line,
    "paragraph": set_paragraph,
    "table": set_table,
    "page": set_page_flow,
    "columns": set_columns,
    "blocks": set_blocks,
}
