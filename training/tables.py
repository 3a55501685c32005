"""Sets tables of numbers and names, with or without rules."""

from __future__ import annotations

from training.charset import encode_classes
from training.page import Box, Line, enclosing
from training.typesetting import Column, Style, Typesetter
from training.vocabulary import TD, TD_END, TR, TR_END


class Table:
    """One table, as wide as its column."""

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
