"""What stands between a transformer block's matrix products, in one pass over the memory each.

A residual sum, the norm after it and the way in and out of SAM's windows are one kernel: as four
of torch's they took a fifth of the tower's time.
"""

import triton
import triton.language as tl
from torch import Tensor, nn

_ROWS = 4
_BLOCK = 1024


@triton.jit
def _add_and_norm(
    x,  # (tokens, width): the sum is written over it
    delta,  # (tokens, width), or by places in windows
    weight,  # (width,)
    bias,
    normed,  # (places, width): written
    num_places,
    grid,
    windows_per_side,
    epsilon,
    has_delta: tl.constexpr,
    from_windows: tl.constexpr,
    to_windows: tl.constexpr,
    window: tl.constexpr,
    width: tl.constexpr,
    padded_width: tl.constexpr,
    rows: tl.constexpr,
):
    """Some places of `normed` per program. With windows, tokens are those of square grids."""
    place = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
    is_place = place < num_places
    is_token = is_place
    token = place
    if to_windows:
        cell, index = place % (window * window), place // (window * window)
        row = index // windows_per_side % windows_per_side * window + cell // window
        column = index % windows_per_side * window + cell % window
        is_token = is_place & (row < grid) & (column < grid)
        token = (index // (windows_per_side * windows_per_side) * grid + row) * grid + column
    channel = tl.arange(0, padded_width)
    is_channel = (channel < width)[None, :]
    is_value = is_token[:, None] & is_channel
    here = token[:, None] * width + channel[None, :]
    value = tl.load(x + here, mask=is_value, other=0.0)
    if has_delta:
        source = token
        if from_windows:
            row, column, view = token // grid % grid, token % grid, token // (grid * grid)
            index = (view * windows_per_side + row // window) * windows_per_side + column // window
            source = (index * window + row % window) * window + column % window
        there = source[:, None] * width + channel[None, :]
        added = tl.load(delta + there, mask=is_value, other=0.0)
        value = (value.to(tl.float32) + added.to(tl.float32)).to(x.dtype.element_ty)
        tl.store(x + here, value, mask=is_value)
    exact = value.to(tl.float32)
    centred = tl.where(is_value, exact - (tl.sum(exact, 1) / width)[:, None], 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 1) / width + epsilon)
    factor = tl.load(weight + channel, mask=channel < width, other=0.0).to(tl.float32)
    offset = tl.load(bias + channel, mask=channel < width, other=0.0).to(tl.float32)
    result = centred * scale[:, None] * factor[None, :] + offset[None, :]
    # Places beyond the grid are zeros, as they were when the checkpoint was trained.
    result = tl.where(is_token[:, None], result, 0.0).to(normed.dtype.element_ty)
    target = place[:, None] * width + channel[None, :]
    tl.store(normed + target, result, mask=is_place[:, None] & is_channel)


@triton.jit
def _quick_gelu(x, num_values, block: tl.constexpr):
    """x: contiguous, written over."""
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_value = place < num_values
    value = tl.load(x + place, mask=is_value, other=0.0).to(tl.float32)
    result = value / (1.0 + tl.exp(-1.702 * value))
    tl.store(x + place, result.to(x.dtype.element_ty), mask=is_value)


def add_and_norm(x: Tensor, delta: Tensor | None, norm: nn.LayerNorm) -> Tensor:
    """x += delta, and the norm of that. Both (..., width), contiguous."""
    normed = x.new_empty(x.shape)
    _launch(x, delta, norm, normed, from_windows=False, to_windows=False)
    return normed


def add_and_norm_grids(
    x: Tensor, delta: Tensor | None, norm: nn.LayerNorm, *, to_windows: int
) -> Tensor:
    """The same for x: (views, grid, grid, width), contiguous.

    delta: like x, or cut into windows: (views * windows, side, side, width), as `to_windows` (a
    side, 0: none) makes the result: zeros at the far edges.
    """
    views, grid, _, width = x.shape
    shape: tuple[int, ...] = x.shape
    if to_windows:
        shape = views * (-(-grid // to_windows)) ** 2, to_windows, to_windows, width
    normed = x.new_empty(shape)
    from_windows = delta is not None and delta.shape[1] != grid
    window = to_windows or (delta.shape[1] if delta is not None and from_windows else grid)
    _launch(
        x,
        delta,
        norm,
        normed,
        from_windows=from_windows,
        to_windows=bool(to_windows),
        window=window,
    )
    return normed


def _launch(
    x: Tensor,
    delta: Tensor | None,
    norm: nn.LayerNorm,
    normed: Tensor,
    *,
    from_windows: bool,
    to_windows: bool,
    window: int = 1,
) -> None:
    width = x.shape[-1]
    num_places = normed.numel() // width
    grid = x.shape[1]
    _add_and_norm[(triton.cdiv(num_places, _ROWS),)](
        x,
        x if delta is None else delta,
        norm.weight,
        norm.bias,
        normed,
        num_places,
        grid,
        -(-grid // window),
        norm.eps,
        has_delta=delta is not None,
        from_windows=from_windows,
        to_windows=to_windows,
        window=window,
        width=width,
        padded_width=triton.next_power_of_2(width),
        rows=_ROWS,
        num_warps=4,
    )


def quick_gelu_(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), in place."""
    num_values = x.numel()
    _quick_gelu[(triton.cdiv(num_values, _BLOCK),)](x, num_values, block=_BLOCK)
    return x
