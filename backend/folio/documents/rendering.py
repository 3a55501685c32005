"""What it means to render a page: the interface of the renderers, limits, and the scale."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from folio.errors import InvalidInputError

DEFAULT_DPI = 144
MIN_DPI, MAX_DPI = 36, 600
POINTS_PER_INCH = 72

MEBIBYTE = 1024 * 1024


class RendererName(StrEnum):
    """Who draws the pages. FRAMES are those of an image file, where there is nothing to draw."""

    MUPDF = "mupdf"
    PDFIUM = "pdfium"
    FRAMES = "frames"


@dataclass(frozen=True)
class RenderLimits:
    """What one page may take.

    `max_page_pixels` and `max_side_pixels` scale a page down; the others make it fail.
    `max_memory_bytes` bounds the address space of the child process, buffers and code included.
    `timeout_seconds` holds for opening the document and for each attempt to render a page.
    """

    max_page_pixels: int = 20_000_000
    max_side_pixels: int = 16_384
    max_frame_pixels: int = 100_000_000
    max_memory_bytes: int = 1024 * MEBIBYTE
    timeout_seconds: float = 30.0

    @property
    def max_page_bytes(self) -> int:
        """Room for the largest page in RGB, with one row and one column from rounding."""
        return 3 * (self.max_page_pixels + 2 * self.max_side_pixels + 1)


class RenderError(Exception):
    """One page could not be rendered by one renderer. The message is the reason."""


class PageRenderer(Protocol):
    """An open document whose pages become pixels. Lives in the child process."""

    @property
    def num_pages(self) -> int: ...

    @property
    def is_repaired(self) -> bool:
        """Whether the file was damaged and pages may be missing from it."""

    def render_page(self, page_number: int, *, dpi: int) -> NDArray[np.uint8]:
        """The page, upright and cropped, as a viewer shows it: uint8 (height, width, 3), RGB.

        The array holds until the next call. Raises RenderError, MemoryError.
        """

    def close(self) -> None: ...


def check_dpi(dpi: int) -> int:
    """Raises InvalidInputError where a page at this dpi could not be read, or never be stored."""
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise InvalidInputError(
            f"dpi={dpi} is out of range: choose {MIN_DPI} to {MAX_DPI}. {DEFAULT_DPI} is enough "
            "for ordinary print.",
            field="dpi",
            min_dpi=MIN_DPI,
            max_dpi=MAX_DPI,
        )
    return dpi


def choose_scale(width: float, height: float, *, dpi: int, limits: RenderLimits) -> float:
    """Pixels per point for a page of this size in points: the dpi, or less for a huge page."""
    width, height = max(width, 1e-3), max(height, 1e-3)
    return min(
        dpi / POINTS_PER_INCH,
        math.sqrt(limits.max_page_pixels / (width * height)),
        limits.max_side_pixels / max(width, height),
    )
