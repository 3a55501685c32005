"""Pillow's bicubic resampling as integer weights, for devices on which Pillow does not run.

Source: Pillow's `Resample.c`. A pixel of the result is a weighted sum of neighbouring ones, in
fixed point, along the rows first and then along the columns, rounded to a byte after each: whoever
sums up the same integers gets the same bytes. Knows nothing of torch or of devices.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 22  # of the weights' fixed point
_SUPPORT = 2.0  # of the bicubic filter, in pixels of the larger of both sizes
_SHARPNESS = -0.5
_NUM_CACHED_SIZES = 256


@dataclass(frozen=True, eq=False)
class Taps:
    """What each pixel of a line of the result is made of.

    first: int32 (result,), the leftmost pixel. weights: int32 (result, taps), of it and its right
    neighbours, in units of 2**-22; zero where there is no neighbour.
    """

    first: NDArray[np.int32]
    weights: NDArray[np.int32]


@lru_cache(_NUM_CACHED_SIZES)
def bicubic_taps(size: int, new_size: int) -> Taps:
    """The taps that resize a line of `size` pixels to `new_size`."""
    scale = size / new_size
    filter_scale = max(scale, 1.0)
    support = _SUPPORT * filter_scale
    centers = (np.arange(new_size) + 0.5) * scale
    # Both as in C, where a conversion to int cuts off what follows the point.
    first = np.trunc(np.maximum(centers - support + 0.5, 0)).astype(np.int64)
    last = np.trunc(np.minimum(centers + support + 0.5, size)).astype(np.int64)
    offsets = np.arange(math.ceil(support) * 2 + 1)
    distances = (offsets + first[:, None] - centers[:, None] + 0.5) * (1.0 / filter_scale)
    weights = np.where(offsets < (last - first)[:, None], bicubic(distances), 0.0)
    # Summed up one by one, as Pillow does: in another order the last bit may differ.
    sums = np.cumsum(weights, axis=1)[:, -1:]
    scaled = weights * (1.0 / sums) * (1 << PRECISION_BITS)
    rounded = np.trunc(scaled + np.where(scaled < 0, -0.5, 0.5))
    return Taps(first.astype(np.int32), np.ascontiguousarray(rounded, dtype=np.int32))


def bicubic(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The filter's weight at these distances from its centre."""
    x, a = np.abs(distances), _SHARPNESS
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < _SUPPORT, far, 0.0))


def fit_into_square(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of a page that fills a square with its aspect kept, at least one pixel."""
    if width > height:
        return side, max(1, round(height / width * side))
    return max(1, round(width / height * side)), side
