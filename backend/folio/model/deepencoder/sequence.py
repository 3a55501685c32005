"""The order of a page's image tokens. Pure functions over encoded views.

Local rows first, each closed by a newline, then the global view's rows, each closed by a newline,
then one separator. A local row runs across all columns of the crop grid.
"""

import torch
from torch import Tensor

from folio.preprocessing.tiling import NO_CROPS, CropGrid


def assemble_image(
    global_view: Tensor,
    local_views: Tensor | None,
    crop_grid: CropGrid,
    image_newline: Tensor,
    view_seperator: Tensor,
) -> Tensor:
    """One page: (tokens, hidden), (views, tokens, hidden) -> (num_image_tokens, hidden)."""
    parts = [close_rows(global_view.unflatten(0, square(global_view.shape[0])), image_newline)]
    if crop_grid != NO_CROPS:
        assert local_views is not None
        parts.insert(0, close_rows(join_local_views(local_views, crop_grid), image_newline))
    return torch.cat([*parts, view_seperator[None]])


def join_local_views(local_views: Tensor, crop_grid: CropGrid) -> Tensor:
    """(views, tokens, hidden), cut row by row -> (rows * side, columns * side, hidden)."""
    side, _ = square(local_views.shape[1])
    columns, rows = crop_grid.columns, crop_grid.rows
    grid = local_views.view(rows, columns, side, side, -1).permute(0, 2, 1, 3, 4)
    return grid.reshape(rows * side, columns * side, -1)


def close_rows(grid: Tensor, image_newline: Tensor) -> Tensor:
    """(rows, columns, hidden) -> (rows * (columns + 1), hidden), a newline after each row."""
    newlines = image_newline.expand(grid.shape[0], 1, -1)
    return torch.cat([grid, newlines], dim=1).flatten(0, 1)


def square(num_tokens: int) -> tuple[int, int]:
    """The sides of a square view that has this many tokens."""
    side = round(num_tokens**0.5)
    return side, side
