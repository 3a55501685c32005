"""Reads the box lists that a model writes: [[x0, y0, x1, y1], ...] in thousandths of the page.

A scanner, not a parser of a language: whatever is no coordinate is handed back as text. Linear
in the length of its input, and nothing is ever evaluated.
"""

import re
from dataclasses import dataclass, field

from folio.pipeline.results import BoundingBox

MAX_COORDINATE = 999

RelativeBox = tuple[float, float, float, float]  # as written: any order, 0 to MAX_COORDINATE

# Full-width forms included: the model falls into them on Chinese pages.
_TOKEN = re.compile(
    r"(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<open>[\[({\uff3b\u3010\uff08])"
    r"|(?P<close>[\])}\uff3d\u3011\uff09])"
    r"|(?P<gap>[\s,;:.\uff0c\u3001\uff1b\uff1a]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclass
class BoxList:
    """What was read: the boxes, stray characters from among them, and where text begins."""

    boxes: list[RelativeBox] = field(default_factory=list)
    stray: str = ""
    end: int = 0


def read_boxes(text: str, start: int, end: int, *, is_closed: bool) -> BoxList:
    """Read the box list in text[start:end].

    `is_closed` says that a closing tag stands at `end`: then single stray characters between
    coordinates, and further lists after the first, are still taken for parts of it.
    """
    reader = _Reader(is_closed)
    position = start
    while position < end:
        token = _TOKEN.match(text, position, end)
        assert token is not None  # the last alternative takes any character
        following = text[token.end()] if token.end() < end else ""
        if not reader.take(token, following):
            break
        position = token.end()
    return reader.finish(start, position, end)


class _Reader:
    """The scanner's state: how deep in brackets, and the numbers since the last one."""

    def __init__(self, is_closed: bool) -> None:
        self.is_closed = is_closed
        self.depth = 0
        self.is_complete = False
        self.numbers: list[float] = []
        self.result = BoxList()
        self.last_was_stray = False

    def take(self, token: re.Match[str], following: str) -> bool:
        """Take one token; False if it is not part of the list any more."""
        kind = token.lastgroup or ""
        if self.is_complete and not self._goes_on(kind):
            return False
        if kind == "other" and not self._is_stray(following):
            return False
        self.last_was_stray = kind == "other"
        if kind == "number":
            self.numbers.append(min(max(float(token.group()), 0.0), float(MAX_COORDINATE)))
        elif kind == "open":
            self.depth += 1
        elif kind == "close":
            self._close(token.end())
        elif kind == "other":
            self.result.stray += token.group()
        return True

    def finish(self, start: int, position: int, end: int) -> BoxList:
        """Where the list ended: at `end` if all of it was coordinates, else where text begins."""
        all_taken = position >= end
        if all_taken and self.is_closed:
            self._flush()
            self.result.end = end
        elif not self.is_complete:
            if self.depth == 0:  # no bracket was ever opened: "1. Introduction" is no box list
                return BoxList(end=start)
            has_numbers = bool(self.numbers or self.result.boxes)
            self._flush()
            self.result.end = position if has_numbers else start
        return self.result

    def _goes_on(self, kind: str) -> bool:
        if self.depth > 0:
            return True
        return kind == "gap" or (self.is_closed and kind in ("open", "close"))

    def _is_stray(self, following: str) -> bool:
        inside = self.depth > 0 and self.is_closed and not self.is_complete
        return inside and not self.last_was_stray and _is_coordinate(following)

    def _close(self, token_end: int) -> None:
        self.depth = max(self.depth - 1, 0)
        found_box = self._flush()
        if self.depth == 0 and (found_box or not self.is_complete or self._just_ended(token_end)):
            self.is_complete = True
            self.result.end = token_end

    def _just_ended(self, token_end: int) -> bool:
        # One bracket too many right behind the list still belongs to it.
        return self.result.end == token_end - 1

    def _flush(self) -> bool:
        numbers, self.numbers = self.numbers, []
        if len(numbers) % 4:
            numbers = numbers[:4]
        boxes = [_as_box(numbers[i : i + 4]) for i in range(0, len(numbers) - 3, 4)]
        self.result.boxes.extend(boxes)
        return bool(boxes)


def to_pixels(box: RelativeBox, width: int, height: int) -> BoundingBox:
    """Thousandths -> pixels of a page of width x height: ordered, inside, never empty."""
    x0, x1 = _scale(box[0], box[2], width)
    y0, y1 = _scale(box[1], box[3], height)
    return BoundingBox(x0, y0, x1, y1)


def _scale(first: float, second: float, size: int) -> tuple[int, int]:
    low, high = sorted(round(value / MAX_COORDINATE * size) for value in (first, second))
    low = min(low, size - 1)
    return low, max(high, low + 1)


def _as_box(numbers: list[float]) -> RelativeBox:
    x0, y0, x1, y1 = numbers
    return x0, y0, x1, y1


def _is_coordinate(character: str) -> bool:
    token = _TOKEN.match(character)
    return token is not None and token.lastgroup != "other"
