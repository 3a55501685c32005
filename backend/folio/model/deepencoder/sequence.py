"""The order of a page's image tokens. Pure functions over encoded views.

Local rows first, each closed by a newline, then the global view's rows, each closed by a newline,
then one separator. A local row runs across all columns of the crop grid.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from folio.preprocessing.tiling import NO_CROPS, CropGrid


@cache
def image_token_order(global_side: int, local_side: int, crop_grid: CropGrid) -> NDArray[np.int64]:
    """Where each image token of a page comes from: (num_image_tokens,).

    Counted through its local views' tokens, view by view, then its global view's, then the newline
    and the separator. Sides are in tokens.
    """
    columns, rows = crop_grid.columns, crop_grid.rows
    num_local = columns * rows * local_side**2
    num_views = num_local + global_side**2
    newline, separator = num_views, num_views + 1
    local = np.arange(num_local).reshape(rows, columns, local_side, local_side)
    sheet = local.transpose(0, 2, 1, 3).reshape(rows * local_side, columns * local_side)
    whole = np.arange(num_local, num_views).reshape(global_side, global_side)
    parts = [close_rows(grid, newline) for grid in (sheet, whole) if grid.size]
    return np.concatenate([*parts, [separator]])


def close_rows(grid: NDArray[np.int64], newline: int) -> NDArray[np.int64]:
    """(rows, columns) -> (rows * (columns + 1),), a newline after each row."""
    return np.pad(grid, ((0, 0), (0, 1)), constant_values=newline).ravel()


def assemble_image(
    global_view: Tensor,
    local_views: Tensor | None,
    crop_grid: CropGrid,
    image_newline: Tensor,
    view_seperator: Tensor,
) -> Tensor:
    """One page: (tokens, hidden), (views, tokens, hidden) -> (num_image_tokens, hidden)."""
    local_side = 0
    parts = [global_view, image_newline[None], view_seperator[None]]
    if crop_grid != NO_CROPS:
        assert local_views is not None
        local_side = side_of(local_views.shape[1])
        parts.insert(0, local_views.flatten(0, 1))
    order = image_token_order(side_of(global_view.shape[0]), local_side, crop_grid)
    return torch.cat(parts)[torch.from_numpy(order).to(global_view.device)]


def side_of(num_tokens: int) -> int:
    """The side of a square view that has this many tokens."""
    return round(num_tokens**0.5)
