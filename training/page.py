"""What is printed on a page: lines and blocks with their boxes, in reading order."""

from dataclasses import dataclass, field, replace

import numpy as np

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Line:
    text: str
    box: Box


@dataclass(frozen=True)
class Block:
    """label: title, sub_title, text, table or image. markdown: its text as the markdown prompt
    answers it."""

    label: str
    box: Box
    lines: tuple[Line, ...] = ()
    markdown: tuple[str | tuple[str], ...] = ()


@dataclass
class Page:
    """Boxes are x0, y0, x1, y1 in pixels of the page."""

    width: int
    height: int
    blocks: list[Block] = field(default_factory=list)

    @property
    def lines(self) -> list[Line]:
        return [line for block in self.blocks for line in block.lines]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def num_chars(self) -> int:
        return sum(len(line.text) + 1 for block in self.blocks for line in block.lines)

    def transformed(self, matrix: np.ndarray, shift: np.ndarray) -> "Page":
        """The page after pixel -> centre + matrix @ (pixel - centre) + shift, its boxes upright
        again."""
        centre = np.array([self.width / 2, self.height / 2])

        def move(box: Box) -> Box:
            corners = np.array([(box[i], box[j]) for i in (0, 2) for j in (1, 3)]) - centre
            moved = corners @ matrix.T + centre + shift
            (x0, y0), (x1, y1) = moved.min(0), moved.max(0)
            return float(x0), float(y0), float(x1), float(y1)

        blocks = [
            replace(
                block,
                box=move(block.box),
                lines=tuple(replace(line, box=move(line.box)) for line in block.lines),
            )
            for block in self.blocks
        ]
        return Page(self.width, self.height, blocks)


def enclosing(boxes: list[Box]) -> Box:
    return (
        min(box[0] for box in boxes), min(box[1] for box in boxes),
        max(box[2] for box in boxes), max(box[3] for box in boxes),
    )  # fmt: skip
