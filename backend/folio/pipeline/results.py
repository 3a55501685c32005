"""What the reading of a page gives. Frozen, and free of HTTP and of the engine."""

from dataclasses import dataclass

from folio.engine.base import FinishReason
from folio.preprocessing.resolution import Mode


@dataclass(frozen=True)
class BoundingBox:
    """Left, top, right, bottom in pixels of the upright image; right and bottom lie outside.

    Never empty: a box that the model drew without width or height is one pixel wide or high.
    """

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Block:
    """A piece of the page. A block that the model boxed several times has several boxes.

    `boxes` is empty for text that came without coordinates: nothing on the page is ever dropped.
    `is_verbatim` tells a line as it is printed ("OCR this image") from the model's Markdown.
    """

    label: str
    text: str
    boxes: tuple[BoundingBox, ...] = ()
    is_verbatim: bool = False

    @property
    def box(self) -> BoundingBox | None:
        """The smallest box around all boxes, or None where there is none."""
        if not self.boxes:
            return None
        return BoundingBox(
            min(box.x0 for box in self.boxes),
            min(box.y0 for box in self.boxes),
            max(box.x1 for box in self.boxes),
            max(box.y1 for box in self.boxes),
        )


@dataclass(frozen=True)
class Usage:
    """Tokens read and written. `image_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    image_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class PageResult:
    """One page, read. `mode` is the one used, also where "auto" was asked for.

    `text` is plain (no tags, tables as tab-separated rows), `raw_text` what the model wrote.
    """

    text: str
    markdown: str
    raw_text: str
    blocks: tuple[Block, ...]
    width: int
    height: int
    mode: Mode
    usage: Usage
    finish_reason: FinishReason
