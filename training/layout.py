"""Sets pages: paragraphs, headings, lists, tables, pictures and columns, in random typefaces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from training.atlas import SIZES, Atlas, Face
from training.canvas import Canvas
from training.charset import encode_classes
from training.corpus import Corpus
from training.page import Block, Box, Line, Page, enclosing
from training.vocabulary import TD, TD_END, TR, TR_END

BULLETS = ("•", "•", "-", "\u2013", "*")


@dataclass(frozen=True)
class Style:
    """How a block is set. Lengths are pixels; word_space is added to the typeface's own blank."""

    face: Face
    line_height: int
    tracking: float
    align: str = "left"
    word_space: float = 0.0

    @property
    def ink_height(self) -> int:
        return self.face.ascent + self.face.descent

    @property
    def blank(self) -> float:
        return self.face.advances[0] + self.tracking + self.word_space

    def text_width(self, words: list[str]) -> float:
        """Of the words with blanks between them."""
        classes = encode_classes(" ".join(words))
        return self.face.text_width(classes, self.tracking) + self.word_space * (len(words) - 1)


@dataclass
class Column:
    """The room that is left: text goes between left and right, from y down to bottom."""

    left: float
    right: float
    y: int
    bottom: int

    @property
    def width(self) -> float:
        return self.right - self.left


class Typesetter:
    """Fills one canvas. The budget is the number of characters that may still be printed."""

    def __init__(
        self, canvas: Canvas, atlas: Atlas, corpus: Corpus, sizes: tuple[int, int], budget: int
    ) -> None:
        self.canvas, self.atlas, self.corpus, self.rng = canvas, atlas, corpus, corpus.rng
        self.sizes = [
            index for index, size in enumerate(SIZES) if sizes[0] <= size <= sizes[1]
        ] or [0]
        self.budget = budget
        self.page = Page(canvas.width, canvas.height)
        self.font = self.rng.randrange(len(atlas.names))
        self.size = self._draw_size()

    def _draw_size(self) -> int:
        """Small sizes are as likely as large ones: the index is uniform and sizes grow by about a
        tenth."""
        return self.rng.choice(self.sizes)

    def style(self, *, size: int | None = None, font: int | None = None) -> Style:
        rng = self.rng
        face = self.atlas.face(
            self.font if font is None else font, self.size if size is None else size
        )
        spacing = rng.uniform(0.95, 1.35) if rng.random() < 0.7 else rng.uniform(0.9, 2.0)
        line_height = max(face.ascent + face.descent + 1, int(face.line_height * spacing))
        tracking = 0.0 if rng.random() < 0.75 else rng.uniform(0, 0.08 * face.size)
        align = rng.choices(("left", "justify", "center", "right"), (60, 32, 5, 3))[0]
        # Blanks differ more between typefaces than those that we have tell: 0.2 to 0.45 em.
        word_space = 0.0 if rng.random() < 0.6 else rng.uniform(-0.35, 0.3) * face.advances[0]
        return Style(face, line_height, tracking, align, word_space)

    # -- lines and paragraphs

    def break_lines(
        self, style: Style, words: Iterator[str], width: float, max_lines: int
    ) -> list[list[str]]:
        """Greedy line breaking. A word wider than the line is cut; words stop when the budget is
        spent."""
        lines: list[list[str]] = [[]]
        used = 0.0
        for word in words:
            classes = encode_classes(word)
            advance = style.face.text_width(classes, style.tracking)
            if advance > width:
                word = word[: max(1, int(len(word) * width / advance) - 1)]
                advance = style.face.text_width(encode_classes(word), style.tracking)
            if self.budget < len(word) + 1:
                break
            if lines[-1] and used + style.blank + advance > width:
                if len(lines) == max_lines:
                    break
                lines.append([])
            used = used + style.blank + advance if lines[-1] else advance
            lines[-1].append(word)
            self.budget -= len(word) + 1
        return [line for line in lines if line]

    def draw_line(
        self, style: Style, words: list[str], left: float, right: float, top: int, *, last: bool
    ) -> Line:
        text = " ".join(words)
        slack = max(0.0, right - left - style.text_width(words))
        word_space = style.word_space
        if (
            style.align == "justify"
            and not last
            and len(words) > 1
            and slack < 0.25 * (right - left)
        ):
            word_space += slack / (len(words) - 1)
        x = left + {"center": slack / 2, "right": slack}.get(style.align, 0.0)
        baseline = top + style.face.ascent
        end = self.canvas.text(
            style.face,
            encode_classes(text),
            x,
            baseline,
            tracking=style.tracking,
            word_space=word_space,
        )
        return Line(text, (x, top, end, top + style.ink_height))

    def room(self, column: Column, style: Style) -> int:
        """How many lines of this style fit into what is left of the column."""
        return max(0, (column.bottom - column.y - style.ink_height) // style.line_height + 1)

    def flow(
        self,
        column: Column,
        style: Style,
        words: Iterator[str],
        max_lines: int,
        *,
        indent: float = 0.0,
    ) -> list[Line]:
        """Sets words into the column and moves its y below them."""
        max_lines = min(max_lines, self.room(column, style))
        left = column.left + indent
        if max_lines == 0 or column.right - left < 2 * style.face.size:
            return []
        broken = self.break_lines(style, words, column.right - left, max_lines)
        lines = []
        for index, line in enumerate(broken):
            last = index == len(broken) - 1
            lines.append(self.draw_line(style, line, left, column.right, column.y, last=last))
            column.y += style.line_height
        return lines

    def paragraph(self, column: Column, style: Style, words: Iterator[str], max_lines: int) -> bool:
        lines = self.flow(column, style, words, max_lines)
        self.add_block("text", lines, (" ".join(line.text for line in lines),))
        return bool(lines)

    def add_block(
        self, label: str, lines: list[Line], markdown: tuple[str | tuple[str], ...]
    ) -> None:
        if lines:
            box = enclosing([line.box for line in lines])
            self.page.blocks.append(Block(label, box, tuple(lines), markdown))

    # -- the other blocks

    def heading(self, column: Column, *, level: int) -> None:
        rng = self.rng
        larger = [index for index in self.sizes if index > self.size] or [self.size]
        size = larger[min(len(larger) - 1, rng.randint(2, 6) if level == 1 else rng.randint(0, 3))]
        font = rng.randrange(len(self.atlas.names)) if rng.random() < 0.6 else self.font
        style = self.style(size=size, font=font)
        num_words = rng.randint(1, 7)
        words = [self.corpus.word() for _ in range(num_words)]
        words = [
            word[:1].upper() + word[1:] if i == 0 or rng.random() < 0.5 else word
            for i, word in enumerate(words)
        ]
        if level == 2 and rng.random() < 0.3:
            words.insert(0, f"{rng.randint(1, 9)}{rng.choice(('.', '', '.1', '.2'))}")
        lines = self.flow(column, style, iter(words), 2)
        text = " ".join(line.text for line in lines)
        self.add_block("title" if level == 1 else "sub_title", lines, ("#" * level + " " + text,))
        column.y += int(style.line_height * rng.uniform(0.1, 0.6))

    def bullet_list(self, column: Column, style: Style) -> None:
        rng = self.rng
        numbered = rng.random() < 0.4
        bullet = rng.choice(BULLETS)
        indent = rng.uniform(0, 2) * style.face.size
        lines: list[Line] = []
        items = []
        for number in range(1, rng.randint(2, 6) + 1):
            marker = f"{number}." if numbered else bullet
            item = self.list_item(column, style, marker, indent)
            if not item:
                break
            lines += item
            text = " ".join(line.text for line in item)
            items.append(text if numbered else "-" + text[len(marker) :])
        self.add_block("text", lines, ("\n".join(items),))

    def list_item(self, column: Column, style: Style, marker: str, indent: float) -> list[Line]:
        """The first line carries the marker; the others hang."""
        style = replace(style, align="left")
        hang = style.face.text_width(encode_classes(marker + " "), style.tracking)
        words = self.sentence_words(self.rng.randint(2, 14))
        start = Column(column.left, column.right, column.y, column.bottom)
        lines = self.flow(column, style, words, self.rng.randint(1, 3), indent=indent + hang)
        if not lines:
            return []
        first = lines[0]
        x = column.left + indent
        baseline = start.y + style.face.ascent
        self.canvas.text(style.face, encode_classes(marker), x, baseline, tracking=style.tracking)
        self.budget -= len(marker) + 1
        return [Line(f"{marker} {first.text}", (x, *first.box[1:])), *lines[1:]]

    def sentence_words(self, count: int) -> Iterator[str]:
        stream = self.corpus.stream("sentences")
        return (next(stream) for _ in range(count))

    def picture(self, column: Column) -> None:
        rng = self.rng
        height = int(min(rng.uniform(0.08, 0.3) * self.canvas.height, column.bottom - column.y))
        width = int(column.width * rng.uniform(0.4, 1.0))
        if height < 30 or width < 40:
            return
        x0 = int(column.left + rng.uniform(0, column.width - width))
        x1, y1 = min(x0 + width, self.canvas.width), min(column.y + height, self.canvas.height)
        self.canvas.picture(x0, column.y, x1, y1, rng)
        self.page.blocks.append(Block("image", (x0, column.y, x1, y1)))
        column.y += height + int(0.5 * SIZES[self.size])

    def table(self, column: Column, style: Style, *, max_rows: int) -> None:
        Table(self, column, style).draw(max_rows)


class Table:
    """A table of numbers and names, with or without rules."""

    def __init__(self, setter: Typesetter, column: Column, style: Style) -> None:
        self.setter, self.column, self.style, self.rng = setter, column, style, setter.rng
        rng, size = self.rng, style.face.size
        num_columns = rng.randint(2, 7)
        while num_columns > 2 and column.width / num_columns < 4.0 * size:
            num_columns -= 1
        self.cell_width = column.width / num_columns
        self.alignments = [rng.choice("lr") for _ in range(num_columns)]
        self.has_header, self.has_names = rng.random() < 0.6, rng.random() < 0.4
        self.padding = rng.uniform(0.3, 0.45) * size

    def cell_text(self, row: int, index: int) -> str:
        """A text that fits the cell."""
        corpus, rng = self.setter.corpus, self.rng
        is_name = (self.has_header and row == 0) or (self.has_names and index == 0)
        if not is_name and rng.random() < 0.03:
            return ""
        for _ in range(6):
            text = corpus.name(max_words=2)[:14].rstrip() if is_name else corpus.number()
            if self._width(text) < self.cell_width - 2 * self.padding:
                return text
        return str(rng.randrange(10))

    def _width(self, text: str) -> float:
        return self.style.face.text_width(encode_classes(text), self.style.tracking)

    def draw(self, max_rows: int) -> None:
        rng, setter, style, column = self.rng, self.setter, self.style, self.column
        pitch = style.line_height + rng.randint(1, 4)
        ruled, boxed = rng.random() < 0.45, rng.random() < 0.3
        top = column.y
        lines: list[Line] = []
        markdown: list[str | tuple[str]] = ["<table>"]
        while len(lines) < max_rows and column.y + style.ink_height + 2 <= column.bottom:
            cells = [self.cell_text(len(lines), index) for index in range(len(self.alignments))]
            text = " ".join(filter(None, cells))
            if not text or len(text) + 1 > setter.budget:
                break
            setter.budget -= len(text) + 1
            lines.append(Line(text, self.draw_row(cells)))
            markdown += [
                (TR,),
                *(part for cell in cells for part in ((TD,), cell, (TD_END,))),
                (TR_END,),
            ]
            if ruled or boxed:
                y = column.y + style.ink_height + (pitch - style.ink_height) // 2
                setter.canvas.rule(column.left, y, column.right, y + 1, 200)
            column.y += pitch
        if lines and boxed:
            self.draw_verticals(top - 2, column.y - 1)
        setter.add_block("table", lines, (*markdown, "</table>"))

    def draw_row(self, cells: list[str]) -> Box:
        style, column = self.style, self.column
        boxes: list[Box] = []
        for index, (cell, alignment) in enumerate(zip(cells, self.alignments, strict=True)):
            if not cell:
                continue
            left = column.left + index * self.cell_width
            x = left + (
                self.padding
                if alignment == "l"
                else self.cell_width - self.padding - self._width(cell)
            )
            baseline = column.y + style.face.ascent
            end = self.setter.canvas.text(
                style.face, encode_classes(cell), x, baseline, tracking=style.tracking
            )
            boxes.append((x, column.y, end, column.y + style.ink_height))
        return enclosing(boxes)

    def draw_verticals(self, y0: int, y1: int) -> None:
        for index in range(len(self.alignments) + 1):
            x = self.column.left + index * self.cell_width
            self.setter.canvas.rule(x, y0, x + 1, y1, 200)


def set_page(
    canvas: Canvas, atlas: Atlas, corpus: Corpus, *, kind: str, sizes: tuple[int, int], budget: int
) -> Page:
    """kind: line, paragraph, table, page or columns; sizes: smallest and largest type in pixels."""
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
        style = setter.style(size=setter._draw_size(), font=rng.randrange(len(setter.atlas.names)))
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
    setter.table(column, style, max_rows=rng.randint(3, 30))


def set_flow(setter: Typesetter, column: Column) -> None:
    """Fills the column with blocks of all kinds until room or budget ends."""
    rng = setter.rng
    style = setter.style()
    gap = rng.uniform(0.2, 1.3)
    while setter.budget > 3 and setter.room(column, style) > 0:
        draw = rng.random()
        if draw < 0.66:
            lines = rng.randint(2, 12) if rng.random() < 0.8 else 1
            if not setter.paragraph(column, style, text_stream(setter.corpus), lines):
                break
        elif draw < 0.77:
            setter.heading(column, level=2)
        elif draw < 0.86:
            setter.bullet_list(column, style)
        elif draw < 0.92:
            setter.table(column, style, max_rows=rng.randint(2, 9))
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
    smallest = setter.sizes[0]
    setter.size = rng.randint(smallest, max(smallest, min(setter.size, smallest + 5)))
    count = 2 if rng.random() < 0.85 else 3
    gutter = rng.uniform(0.025, 0.08) * setter.canvas.width
    width = (column.width - gutter * (count - 1)) / count
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


def text_stream(corpus: Corpus) -> Iterator[str]:
    styles = ("sentences", "mixed", "numbers", "forms", "strings", "code", "markup", "echo")
    return corpus.stream(corpus.rng.choices(styles, (70, 9, 4, 5, 3, 4, 2, 3))[0])


SETTERS = {
    "line": set_line,
    "paragraph": set_paragraph,
    "table": set_table,
    "page": set_page_flow,
    "columns": set_columns,
}
