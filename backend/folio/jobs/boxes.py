"""Draws the boxes of a page's blocks: outlines in a colour by label, each with a small tag."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from folio.pipeline.grounding import FIGURE_LABELS, TITLE_LABELS
from folio.pipeline.results import Block, BoundingBox

Colour = tuple[int, int, int]

_TITLE: Colour = (200, 30, 45)
_TEXT: Colour = (25, 95, 200)
_TABLE: Colour = (10, 125, 70)
_FIGURE: Colour = (205, 90, 0)
_FORMULA: Colour = (130, 40, 170)
_CAPTION: Colour = (0, 120, 135)
_MARGIN: Colour = (95, 95, 105)

_MARGIN_LABELS = frozenset(
    {"header", "footer", "page_number", "footnote", "page_footnote", "aside_text"}
)

_PIXELS_PER_OUTLINE = 600  # of the page's longer side: 2 pixels on an A4 page at 144 dpi
_PIXELS_PER_TAG = 110  # 15 pixels there
_MAX_BOXES = 1000  # of a page; a model that loops would draw the page full
_MAX_TAG_CHARACTERS = 30


def draw_boxes(page: NDArray[np.uint8], blocks: Sequence[Block]) -> None:
    """Draw on the page, in place: boxes in its pixels, tags with the number in reading order.

    page: uint8 (height, width, 3), RGB. Lines of text as they are printed get no tags: those would
    hide the lines from each other.
    """
    height, width, _ = page.shape
    side = max(height, width)
    outline, tag_size = max(2, side // _PIXELS_PER_OUTLINE), max(9, side // _PIXELS_PER_TAG)
    boxes = [(block, box) for block in blocks for box in block.boxes][:_MAX_BOXES]
    for block, box in boxes:
        _draw_outline(page, box, colour_of(block.label), outline)
    places = TagPlaces([box for _, box in boxes], (width, height), outline)
    for number, block in enumerate(blocks, start=1):
        if block.boxes and not block.is_verbatim:  # on top of all outlines
            tag = _make_tag(f"{number} {block.label[:_MAX_TAG_CHARACTERS]}", block.label, tag_size)
            tag_height, tag_width, _ = tag.shape
            x, y = places.choose(block.boxes[0], (tag_width, tag_height))
            # Of a page smaller than its tag, as much as is there.
            page[y : y + tag_height, x : x + tag_width] = tag[: height - y, : width - x]


class TagPlaces:
    """Where a box's tag hides the least: in the margin at its left, above it, or inside of it."""

    def __init__(self, boxes: Sequence[BoundingBox], page_size: tuple[int, int], gap: int) -> None:
        self._corners = np.array(
            [(box.x0, box.y0, box.x1, box.y1) for box in boxes], dtype=np.int64
        ).reshape(-1, 4)
        self._page_size = page_size
        self._gap = gap

    def choose(self, box: BoundingBox, tag_size: tuple[int, int]) -> tuple[int, int]:
        """The tag's left upper corner, so that all of it is on the page."""
        (width, height), gap = tag_size, self._gap
        wanted = (
            (box.x0 - gap - width, box.y0 - gap),
            (box.x0 - gap, box.y0 - gap - height),
            (box.x1 + gap - width, box.y0 - gap - height),
            (box.x0, box.y0),
        )
        places = [self._on_page(place, tag_size) for place in wanted]
        return min(places, key=lambda place: self._hidden_area(place, tag_size))

    def _on_page(self, place: tuple[int, int], tag_size: tuple[int, int]) -> tuple[int, int]:
        limits = (page - tag for page, tag in zip(self._page_size, tag_size, strict=True))
        x, y = (max(0, min(at, limit)) for at, limit in zip(place, limits, strict=True))
        return x, y

    def _hidden_area(self, place: tuple[int, int], tag_size: tuple[int, int]) -> int:
        """How much of all boxes the tag would hide, in pixels."""
        x0, y0, x1, y1 = self._corners.T
        widths = np.minimum(x1, place[0] + tag_size[0]) - np.maximum(x0, place[0])
        heights = np.minimum(y1, place[1] + tag_size[1]) - np.maximum(y0, place[1])
        return int((np.maximum(widths, 0) * np.maximum(heights, 0)).sum())


def colour_of(label: str) -> Colour:
    """One colour for each kind of block."""
    if label in TITLE_LABELS:
        return _TITLE
    if label in FIGURE_LABELS:
        return _FIGURE
    if label == "table":
        return _TABLE
    if "formula" in label or "equation" in label:
        return _FORMULA
    if label in _MARGIN_LABELS:
        return _MARGIN
    return _CAPTION if label.endswith(("caption", "title", "footnote")) else _TEXT


def _draw_outline(page: NDArray[np.uint8], box: BoundingBox, colour: Colour, width: int) -> None:
    # Around the box, not on what is in it, but never off the page.
    x0, y0 = max(box.x0 - width, 0), max(box.y0 - width, 0)
    x1, y1 = min(box.x1 + width, page.shape[1]), min(box.y1 + width, page.shape[0])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    outside = page[y0:y1, x0:x1]
    outside[:width] = outside[-width:] = colour
    outside[:, :width] = outside[:, -width:] = colour


@lru_cache(maxsize=1024)
def _make_tag(text: str, label: str, size: int) -> NDArray[np.uint8]:
    font, padding = ImageFont.load_default(size), max(2, size // 4)
    width, height = round(font.getlength(text)) + 2 * padding, round(1.4 * size)
    tag = Image.new("RGB", (width, height), colour_of(label))
    ImageDraw.Draw(tag).text((padding, height / 2), text, "white", font, anchor="lm")
    return np.asarray(tag)
