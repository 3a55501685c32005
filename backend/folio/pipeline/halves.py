"""Cuts a page in two overlapping halves, each of whole lines where the page allows it. Pure."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from folio.pipeline.ink import measure_rows
from folio.pipeline.results import Block, BoundingBox, PageResult

LEAST_HEIGHT = 128  # pixels of print; below it there are too few lines for two halves
# Of the height of what is printed:
_REACH = 0.15  # how far from the middle the cut may lie
_OVERLAP = 0.06  # to each side of the cut: two or three lines of a full page


@dataclass(frozen=True)
class Cut:
    """Rows of the page: the upper half ends above `upper_end`, the lower begins at `lower_start`.

    lower_start <= upper_end: what lies between is in both.
    """

    lower_start: int
    upper_end: int

    def upper(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return image[: self.upper_end]

    def lower(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return image[self.lower_start :]


def cut_in_halves(image: NDArray[np.uint8]) -> Cut | None:
    """Where to cut, by rows. None for a page that is too low to be cut.

    Columns stay side by side: a line is never cut across.
    """
    return find_cut(measure_rows(image))


def find_cut(ink: NDArray[np.int64]) -> Cut | None:
    """The cut in the middle of what is printed. ink: (height,), how much there is in each row.

    Each of its two edges lies in the whitest row that is near to where it should be, so that no
    line of writing is cut through.
    """
    printed = np.flatnonzero(ink)
    if printed.size == 0 or (height := int(printed[-1] - printed[0]) + 1) < LEAST_HEIGHT:
        return None
    wanted = int(printed[0]) + height // 2
    middle = whitest_row(ink, wanted, reach=round(_REACH * height))
    # In large print the next white row may be far: then the middle itself is the edge.
    overlap = round(_OVERLAP * height)
    lower_start = whitest_row(ink, middle - overlap, reach=overlap)
    upper_end = whitest_row(ink, middle + overlap, reach=overlap)
    return Cut(lower_start, upper_end)


def whitest_row(ink: NDArray[np.int64], wanted: int, *, reach: int) -> int:
    """The row with the least ink at most `reach` from the wanted one; the middle of its band."""
    first, last = max(wanted - reach, 0), min(wanted + reach, len(ink) - 1)
    rows = np.arange(first, last + 1)
    is_whitest = ink[first : last + 1] == ink[first : last + 1].min()
    starts, ends = _bands(is_whitest)
    # A wide band is a gap between paragraphs; among bands that are wide enough the nearest one.
    widths = np.minimum(ends - starts, reach // 4)
    distances = np.abs((rows[starts] + rows[ends]) // 2 - wanted)
    best = np.lexsort((distances, -widths))[0]
    return int((rows[starts[best]] + rows[ends[best]] + 1) // 2)


def _bands(is_inside: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last index of each run of True."""
    steps = np.diff(np.concatenate([[0], is_inside.astype(np.int8), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1


def shift_down(page: PageResult, rows: int) -> tuple[Block, ...]:
    """The blocks of a half that begins at this row of the page, in the page's coordinates."""
    return tuple(
        replace(block, boxes=tuple(_shifted(box, rows) for box in block.boxes))
        for block in page.blocks
    )


def _shifted(box: BoundingBox, rows: int) -> BoundingBox:
    return replace(box, y0=box.y0 + rows, y1=box.y1 + rows)
