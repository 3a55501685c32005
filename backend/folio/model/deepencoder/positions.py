"""Position tables, resized from the size they were trained at to the size of the view."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class GridPositions(NamedTuple):
    """What one attention layer knows of the distances on a grid of `size` x `size` tokens.

    rows, columns: (query, key, head_dim), see `relative_table`. one_hot: (size**2, columns), see
    `one_hot_rows_and_columns`.
    """

    rows: Tensor
    columns: Tensor
    one_hot: Tensor


def resize_position_grid(grid: Tensor, size: int) -> Tensor:
    """Absolute positions (1, side, side, width) -> (1, size, size, width), bicubic, antialiased."""
    if grid.shape[1] == size:
        return grid
    resized = functional.interpolate(
        grid.permute(0, 3, 1, 2).float(), size=(size, size), mode="bicubic", antialias=True
    )
    return resized.permute(0, 2, 3, 1).to(grid.dtype)


def relative_table(rel_pos: Tensor, size: int) -> Tensor:
    """Relative positions (length, head_dim) -> (query, key, head_dim) for a side of `size`."""
    length = 2 * size - 1
    if rel_pos.shape[0] != length:
        resized = functional.interpolate(rel_pos.float().t()[None], size=length, mode="linear")
        rel_pos = resized[0].t().to(rel_pos.dtype)
    index = torch.arange(size, device=rel_pos.device)
    return rel_pos[index[:, None] - index[None, :] + size - 1]


def one_hot_rows_and_columns(size: int, multiple_of: int, like: Tensor) -> Tensor:
    """For each token of a size x size grid its row and column as one-hot: (size**2, columns).

    There are 2 * size columns and as many zeros as make that a multiple of `multiple_of`.
    """
    eye = torch.eye(size, device=like.device, dtype=like.dtype)
    one_hot = torch.cat([eye.repeat_interleave(size, 0), eye.repeat(size, 1)], dim=1)
    return functional.pad(one_hot, (0, -2 * size % multiple_of))
