"""What the reading of a page gives. Frozen, and free of HTTP and of the engine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BoundingBox:
    """Pixels of the upright image as uploaded: left, top, right, bottom, right and bottom outside."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Block:
    """A piece of the page. A block that the model boxed several times has several boxes.

    `boxes` is empty for text that came without coordinates: nothing on the page is ever dropped.
    """

    label: str
    text: str
    boxes: tuple[BoundingBox, ...] = ()
