"""Resolution modes, and the one formula for the number of image tokens.

Source: the published DeepSeek-OCR. Knows nothing of torch or of pixels.
"""

from dataclasses import dataclass
from enum import StrEnum

from folio.preprocessing.tiling import DEFAULT_MAX_CROPS, NO_CROPS, CropGrid, choose_crop_grid

PIXELS_PER_TOKEN = 64  # patch 16, then two convolutions of stride 2
LOCAL_VIEW_SIZE = 640


class Mode(StrEnum):
    """A resolution mode by name."""

    TINY = "tiny"
    SMALL = "small"
    BASE = "base"
    LARGE = "large"
    GUNDAM = "gundam"


@dataclass(frozen=True)
class Resolution:
    """How one page is shown to the model: the global view's side and the local views' grid.

    `keep_aspect` pads the page to the square; without it the page is stretched (tiny, small).
    """

    base_size: int
    keep_aspect: bool
    crop_grid: CropGrid = NO_CROPS

    @property
    def num_image_tokens(self) -> int:
        """Image tokens of this page, newlines and separator included."""
        return num_image_tokens(self.base_size, self.crop_grid)


_SQUARE_MODES = {
    Mode.TINY: Resolution(512, keep_aspect=False),
    Mode.SMALL: Resolution(640, keep_aspect=False),
    Mode.BASE: Resolution(1024, keep_aspect=True),
    Mode.LARGE: Resolution(1280, keep_aspect=True),
}


def resolve(
    mode: Mode, width: int, height: int, *, max_crops: int = DEFAULT_MAX_CROPS
) -> Resolution:
    """The resolution of a page of width x height pixels in this mode."""
    if mode is Mode.GUNDAM:
        crop_grid = choose_crop_grid(width, height, LOCAL_VIEW_SIZE, max_crops)
        return Resolution(1024, keep_aspect=True, crop_grid=crop_grid)
    return _SQUARE_MODES[mode]


def num_image_tokens(base_size: int, crop_grid: CropGrid = NO_CROPS) -> int:
    """Tokens of the local rows, the global rows (each row + newline) and the separator."""
    side = base_size // PIXELS_PER_TOKEN
    global_tokens = side * (side + 1)
    local_side = LOCAL_VIEW_SIZE // PIXELS_PER_TOKEN
    columns, rows = crop_grid.columns * local_side, crop_grid.rows * local_side
    local_tokens = rows * (columns + 1) if crop_grid.num_views else 0
    return local_tokens + global_tokens + 1


def max_image_tokens(max_crops: int = DEFAULT_MAX_CROPS) -> int:
    """The most image tokens that any page can take in any mode."""
    tallest = num_image_tokens(1024, CropGrid(1, max_crops))
    return max(tallest, num_image_tokens(1280))
