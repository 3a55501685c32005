"""From one page image to the views that the model sees, as uint8, and their normalisation.

Source: the published DeepSeek-OCR. Pure and thread-safe; Pillow lets go of the GIL while it
resizes. Knows nothing of files or prompts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, Resolution
from folio.preprocessing.tiling import CropGrid

PADDING_VALUE = 127


@dataclass(frozen=True)
class PageViews:
    """What the model sees of a page. uint8, RGB.

    global_view: (3, base_size, base_size). local_views: (num_views, 3, 640, 640), cut row by row.
    """

    global_view: Tensor
    local_views: Tensor


def make_views(image: NDArray[np.uint8], resolution: Resolution) -> PageViews:
    """Show a page at a resolution. image: uint8 (height, width, 3), upright RGB."""
    page = Image.fromarray(image)
    resize = pad_to_square if resolution.keep_aspect else stretch_to_square
    global_view = to_channels_first(resize(page, resolution.base_size))
    return PageViews(global_view, cut_local_views(page, resolution.crop_grid))


def stretch_to_square(page: Image.Image, size: int) -> Image.Image:
    """Resize without keeping the aspect."""
    return page.resize((size, size), Image.Resampling.BICUBIC)


def pad_to_square(page: Image.Image, size: int) -> Image.Image:
    """Resize keeping the aspect, centred on grey."""
    grey = (PADDING_VALUE,) * 3
    return ImageOps.pad(page, (size, size), Image.Resampling.BICUBIC, color=grey)


def cut_local_views(page: Image.Image, crop_grid: CropGrid) -> Tensor:
    """Stretch the page to the grid and cut it row by row -> (num_views, 3, 640, 640)."""
    size = LOCAL_VIEW_SIZE
    if not crop_grid.num_views:
        return torch.empty((0, 3, size, size), dtype=torch.uint8)
    columns, rows = crop_grid.columns, crop_grid.rows
    sheet = page.resize((columns * size, rows * size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(sheet)).view(rows, size, columns, size, 3)
    # (rows, size, columns, size, 3) -> (rows * columns, 3, size, size)
    return pixels.permute(0, 2, 4, 1, 3).reshape(-1, 3, size, size)


def to_channels_first(view: Image.Image) -> Tensor:
    """(height, width, 3) -> (3, height, width)."""
    return torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()


def normalise(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 0..255 -> -1..1 (mean and deviation one half), computed in float32."""
    return pixels.float().div_(127.5).sub_(1.0).to(dtype)
