"""What is printed where on a page. image: uint8 (height, width, 3), upright RGB."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_INVISIBLE = 8  # levels of a channel: a difference that nobody sees, and no model
_SAMPLE_STEP = 16  # pixels; on most pages a look at every 256th pixel finds ink

_SOFTENING = 4  # pixels a side, averaged: noise of scanners goes, letters stay
_LEAST_SOFTENED_SIDE = 256  # pixels; smaller pages have no noise of scanners
_LEAST_STEP = 10  # levels between neighbours of the softened page; shadows fade more slowly
_MAX_DUST = 20  # such steps: a few specks or a page number; the shortest word has more

_LEAST_CONTRAST = 24  # levels between a row's paper and its ink
_STROKES_PER_ROW = 400  # strokes of letters are about as wide as a row divided by this


def has_ink(image: NDArray[np.uint8]) -> bool:
    """Whether anything at all is on the page: False only where it is of one even colour."""
    return shows_ink(image) or _has_contrast(image)


def shows_ink(image: NDArray[np.uint8]) -> bool:
    """Whether a glance of 0.02 ms finds ink. Where it finds none, has_ink() looks at all."""
    return _has_contrast(image[::_SAMPLE_STEP, ::_SAMPLE_STEP])


def is_almost_blank(image: NDArray[np.uint8]) -> bool:
    """Whether there is nothing on the page but dust, noise, shadows, or a page number."""
    grey = _to_grey(image)
    if min(grey.size) >= _LEAST_SOFTENED_SIDE:
        grey = grey.reduce(_SOFTENING)
    levels = np.asarray(grey, dtype=np.int16)
    num_steps = sum(
        int(np.count_nonzero(np.abs(np.diff(levels, axis=axis)) >= _LEAST_STEP)) for axis in (0, 1)
    )
    return num_steps <= _MAX_DUST


def measure_rows(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How much ink there is in each row: 0 between lines. -> (height,)

    Counted are differences along the row, so that neither a dark page nor the inside of a
    coloured box counts for more than its edges.
    """
    levels = np.asarray(_to_grey(image), dtype=np.int16)
    step = min(math.ceil(image.shape[1] / _STROKES_PER_ROW), image.shape[1])
    is_edge = np.abs(levels[:, step:] - levels[:, :-step]) >= _LEAST_CONTRAST
    return np.asarray(np.count_nonzero(is_edge, axis=1), dtype=np.int64)


def _to_grey(image: NDArray[np.uint8]) -> Image.Image:
    # Red and green by halves: all ink but yellow shows, at a fraction of the price of luma.
    return Image.fromarray((image[..., 0] >> 1) + (image[..., 1] >> 1))


def _has_contrast(image: NDArray[np.uint8]) -> bool:
    channels = (image[..., channel] for channel in range(3))
    return any(int(channel.max()) - int(channel.min()) > _INVISIBLE for channel in channels)
