"""Sets paragraphs, headings, lists and pictures into a column of a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from training.atlas import SIZES, Atlas, Face
from training.canvas import Canvas
from training.charset import encode_classes
from training.corpus import Corpus
from training.page import Block, Line, Page, enclosing

# Of a picture in its column, from left to right: at an edge, in the middle, anywhere.
PICTURE_PLACES, PICTURE_WEIGHTS = (0.0, 0.5, 1.0, None), (40, 20, 10, 30)
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
        self.size = self.draw_size()

    def draw_size(self) -> int:
        """Sizes grow by about a tenth; small ones, which are misread, are more likely."""
        size = self.rng.choice(self.sizes)
        return min(size, self.rng.choice(self.sizes)) if self.rng.random() < 0.5 else size

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

    def verses(self, column: Column, style: Style) -> None:
        """Lines of their own that begin alike: below each word stands one that fits as well."""
        rng, word = self.rng, self.corpus.word
        beginning = list(self.sentence_words(rng.randint(1, 4)))
        lines: list[Line] = []
        for _ in range(rng.randint(3, 10)):
            words = [*beginning, *(word() for _ in range(rng.randint(0, 5)))]
            if rng.random() < 0.3:
                words[rng.randrange(len(words))] = word()
            line = self.flow(column, style, iter(words), 1)
            if not line:
                break
            lines += line
        self.add_block("text", lines, (" ".join(line.text for line in lines),))

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
        # Terse ones leave most of the column white: where they end must be seen.
        num_words = (1, 5) if rng.random() < 0.45 else (2, 14)
        lines: list[Line] = []
        items = []
        for number in range(1, rng.randint(2, 6) + 1):
            marker = f"{number}." if numbered else bullet
            item = self.list_item(column, style, marker, indent, rng.randint(*num_words))
            if not item:
                break
            lines += item
            text = " ".join(line.text for line in item)
            items.append(text if numbered else "-" + text[len(marker) :])
        self.add_block("text", lines, ("\n".join(items),))

    def list_item(
        self, column: Column, style: Style, marker: str, indent: float, num_words: int
    ) -> list[Line]:
        """The first line carries the marker; the others hang."""
        style = replace(style, align="left")
        hang = style.face.text_width(encode_classes(marker + " "), style.tracking)
        words = self.sentence_words(num_words)
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
        share, place = rng.uniform(0.2, 1.0), rng.choices(PICTURE_PLACES, PICTURE_WEIGHTS)[0]
        width = int(column.width * share)
        if height < 30 or width < 40:
            return
        place = rng.random() if place is None else place
        x0 = int(column.left + place * (column.width - width))
        x1, y1 = min(x0 + width, self.canvas.width), min(column.y + height, self.canvas.height)
        self.canvas.picture(x0, column.y, x1, y1, rng)
        self.page.blocks.append(Block("image", (x0, column.y, x1, y1)))
        column.y += height + int(0.5 * SIZES[self.size])
