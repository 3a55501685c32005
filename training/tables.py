"""Sets tables of numbers and names, with or without rules."""

from __future__ import annotations

from itertools import accumulate

from training.charset import encode_classes
from training.page import Box, Line, enclosing
from training.typesetting import Column, Style, Typesetter
from training.vocabulary import TD, TD_END, TR, TR_END

NAME_LENGTHS = (5, 16)


class Table:
    """One table, as wide as its column or narrower. edges: where its columns begin, and the last
    ends."""

    def __init__(self, setter: Typesetter, column: Column, style: Style) -> None:
        self.setter, self.column, self.style, self.rng = setter, column, style, setter.rng
        rng, size = self.rng, style.face.size
        width = column.width
        if rng.random() < 0.5:
            width = max(min(width, 10.0 * size), width * rng.uniform(0.35, 1.0))
        num_columns = rng.randint(2, 7)
        while num_columns > 2 and width / num_columns < 4.0 * size:
            num_columns -= 1
        left = column.left + rng.choice((0.0, 0.0, 0.5, 1.0)) * (column.width - width)
        self.edges = self.draw_edges(left, width, num_columns)
        self.alignments = [rng.choice("lr") for _ in range(num_columns)]
        self.has_header, self.has_names = rng.random() < 0.6, rng.random() < 0.4
        self.padding = rng.uniform(0.3, 0.45) * size

    def draw_edges(self, left: float, width: float, num_columns: int) -> list[float]:
        """Columns of one width, or of several."""
        is_even = self.rng.random() < 0.6
        shares = [1.0 if is_even else self.rng.uniform(0.7, 1.5) for _ in range(num_columns)]
        scale = width / sum(shares)
        return [left, *(left + scale * end for end in accumulate(shares))]

    def cell_text(self, row: int, index: int) -> str:
        """A text that fits the cell."""
        corpus, rng = self.setter.corpus, self.rng
        is_name = (self.has_header and row == 0) or (self.has_names and index == 0)
        if not is_name and rng.random() < 0.03:
            return ""
        room = self.edges[index + 1] - self.edges[index] - 2 * self.padding
        for _ in range(6):
            # Cut anywhere, as narrow columns do: what is not there is not to be guessed.
            length = rng.randint(*NAME_LENGTHS)
            text = corpus.name(max_words=2)[:length].rstrip() if is_name else corpus.number()
            if self._width(text) < room:
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
                setter.canvas.rule(self.edges[0], y, self.edges[-1], y + 1, 200)
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
            x = self.edges[index] + self.padding
            if alignment == "r":
                x = self.edges[index + 1] - self.padding - self._width(cell)
            baseline = column.y + style.face.ascent
            end = self.setter.canvas.text(
                style.face, encode_classes(cell), x, baseline, tracking=style.tracking
            )
            boxes.append((x, column.y, end, column.y + style.ink_height))
        return enclosing(boxes)

    def draw_verticals(self, y0: int, y1: int) -> None:
        for x in self.edges:
            self.setter.canvas.rule(x, y0, x + 1, y1, 200)
