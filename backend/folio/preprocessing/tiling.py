"""Which grid of local views fits a page best. Pure arithmetic, source: the published model."""

from dataclasses import dataclass
from functools import cache

DEFAULT_MAX_CROPS = 6


@dataclass(frozen=True)
class CropGrid:
    """Columns (across) and rows (down) of local views; 0 x 0 where the page is not cut."""

    columns: int
    rows: int

    @property
    def num_views(self) -> int:
        return self.columns * self.rows


NO_CROPS = CropGrid(0, 0)


def choose_crop_grid(width: int, height: int, view_size: int, max_crops: int) -> CropGrid:
    """The grid of 2 to max_crops views whose aspect ratio is nearest to the page's.

    A page that fits into one view is not cut. On a tie the larger grid wins if the page has
    more than half of that grid's pixels (as the published code decides it).
    """
    if width <= view_size and height <= view_size:
        return NO_CROPS
    aspect_ratio = width / height
    best, best_difference = NO_CROPS, float("inf")
    for grid in _candidate_grids(max_crops):
        difference = abs(aspect_ratio - grid.columns / grid.rows)
        has_pixels_for = width * height > 0.5 * view_size * view_size * grid.num_views
        if difference < best_difference or (difference == best_difference and has_pixels_for):
            best, best_difference = grid, difference
    return best


@cache
def _candidate_grids(max_crops: int) -> list[CropGrid]:
    sides = range(1, max_crops + 1)
    grids = [CropGrid(columns, rows) for columns in sides for rows in sides]
    return sorted(
        (grid for grid in grids if 2 <= grid.num_views <= max_crops), key=lambda g: g.num_views
    )
