"""How small a page's writing is, and the cheapest mode that still resolves it (mode `auto`).

The measure counts edges. Along the rows of a narrow strip of a page, a line of writing shows as
a band of many edges, as high as its small letters (the x-height; the full height for digits and
capitals), between gaps with few. Neither paper nor ink colour matters, rules and frames have few
edges, and a band whose edges are too far apart for letters of its height is no writing. Large
writing is found on halved copies of the page.

The rule: the cheapest mode that scales the writing to at least LEAST_LETTER_HEIGHT pixels in the
direction that is squeezed most, stretches no page by more than MAX_STRETCH, and gives it an
image token for every MAX_CHARACTERS_PER_IMAGE_TOKEN characters; gundam where none does. A blank
page goes to tiny, a page whose marks cannot be measured to gundam.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from folio.preprocessing.resolution import Mode, resolve

# Set by the small model's error rates on held-out pages: docs/decisions/0003.
LEAST_LETTER_HEIGHT = 9.0
MAX_CHARACTERS_PER_IMAGE_TOKEN = 4.0
MAX_STRETCH = 1.7

# The share of the writing that may be smaller than what the mode is chosen for: stray bands
# (accents, punctuation, bits of large letters) come to less, a line of small print to more.
SMALLEST_SHARE_OF_EDGES = 0.1
SMALLEST_SHARE_OF_LETTERS = 0.35

# Tiny saves 38 image tokens over small, and was measured to lose tables and code.
BLANK_PAGE_MODE = Mode.TINY
CHEAP_MODES = (Mode.SMALL, Mode.BASE)

_MAX_MEASURED_PIXELS = 2_800_000  # about what gundam sees of a page
_CACHED_PIXELS = 65_536  # so many at a time: what is made of them stays in the cache
_HALF_STRIP = 32  # pixels; strips are two of these wide and overlap by one
_LEAST_CONTRAST = 5  # grey levels between neighbouring pixels
_NOISE_TILE = 8  # pixels; small enough to lie between lines
_SAMPLE_PERIOD = 4  # tiles: noise and contrast are measured in every fourth row of them
_LEAST_SAMPLES = 16
_GOLDEN_RATIO = 0.618  # its multiples, modulo 1, are spread evenly and repeat nothing
_NOISE_SHARE = 0.1  # of all tiles: paper, even where writing or a picture fills the page
_NOISE_FACTOR = 6.0  # times their mean difference: beyond nearly all of Gaussian noise
_MAX_NOISE = 100.0  # beyond it edges of thin letters drown, and nothing is measured
_EDGE_SHARE = 0.25  # of the mean edge: leaves out blur and JPEG's ripples
_REACH = 24  # rows in which a line's densest row is looked for
_BAND_SHARE = 0.45  # of the densest row: between rows of small letters and of their ascenders
_GAP_SHARE = 0.25  # what lies between two lines often has less, what lies in a large letter more
_MAX_GAP = 0.5  # times the band's height; between two lines it is more
_LEAST_EDGES = 3  # in a row of a strip
_LEAST_MARKED_ROWS = 4  # of strips; less than that is dust
_BAND_HEIGHTS = (4, 14)  # pixels that one level of the pyramid measures
_EDGES_PER_LETTER = 4.3  # pixels of edge in one row of a letter as wide as it is high
_MAX_EDGE_DENSITY = 0.75  # of a row, in the smallest print
# Of the edges that letters of a band's height would have: less at a line's end and in short
# words, more in bold and narrow print; far more where two lines have run into one band.
_LEAST_LETTER_SHARE, _GREATEST_LETTER_SHARE = 0.4, 3.0

Grey = NDArray[np.uint8]
"""A page, or differences on it: (height, width)."""
Counts = NDArray[np.int16]


@dataclass(frozen=True)
class Writing:
    """What is written on a page. letter_height: pixels of the page, as of a small x.

    It is infinite on a blank page, and 0 where there are marks that cannot be measured.
    """

    letter_height: float
    num_characters: int


@dataclass(frozen=True)
class _Bands:
    """Bands of edges on one level: heights and edges in pixels of the page, letters by number."""

    heights: NDArray[np.float64]
    num_edges: NDArray[np.float64]
    num_letters: NDArray[np.float64]


def choose_mode(image: NDArray[np.uint8], writing: Writing | None = None) -> Mode:
    """The cheapest mode for this page. image: uint8 (height, width, 3). `writing`: if measured."""
    height, width = image.shape[:2]
    return cheapest_mode(writing or measure_writing(image), width, height)


def cheapest_mode(writing: Writing, width: int, height: int) -> Mode:
    """The cheapest mode that resolves this writing on a page of width x height pixels."""
    if math.isinf(writing.letter_height):
        return BLANK_PAGE_MODE
    return next(
        (mode for mode in CHEAP_MODES if _resolves(mode, writing, width, height)), Mode.GUNDAM
    )


def _resolves(mode: Mode, writing: Writing, width: int, height: int) -> bool:
    resolution = resolve(mode, width, height)
    scale_x, scale_y = resolution.base_size / width, resolution.base_size / height
    if resolution.keep_aspect:
        scale_x = scale_y = min(scale_x, scale_y)
    if max(scale_x, scale_y) > MAX_STRETCH * min(scale_x, scale_y):
        return False
    if writing.num_characters > MAX_CHARACTERS_PER_IMAGE_TOKEN * resolution.num_image_tokens:
        return False
    return writing.letter_height * min(scale_x, scale_y) >= LEAST_LETTER_HEIGHT


def measure_writing(image: NDArray[np.uint8]) -> Writing:
    """Measure a page's writing. image: uint8 (height, width, 3)."""
    page = _to_grey(image)
    scale = math.ceil(math.sqrt(page.size / _MAX_MEASURED_PIXELS))
    page = np.asarray(Image.fromarray(page).reduce(scale)) if scale > 1 else page
    threshold = _edge_threshold(page)
    if threshold > _MAX_NOISE:
        return Writing(0.0, 0)
    edges = _count_edges(page, threshold)
    if not _is_marked(edges):
        return Writing(math.inf, 0)
    levels = [_find_bands(edges, scale, _BAND_HEIGHTS[0])]
    while min(page.shape) >= 2 * _HALF_STRIP:
        page, scale = _halve(page), scale * 2
        # Bands up to half of the greatest height were measured better one level below.
        edges = _count_edges(page, threshold)
        levels.append(_find_bands(edges, scale, _BAND_HEIGHTS[1] // 2 + 1))
    return _summarize(levels)


def _to_grey(image: NDArray[np.uint8]) -> Grey:
    # Red and green by halves: all ink but yellow shows, at a fraction of the price of luma. All
    # bytes are halved, and each added to the next, as those are runs over memory.
    height, width = image.shape[:2]
    grey = _new_page(height, width)
    rows_at_once = max(1, _CACHED_PIXELS // width)
    for top in range(0, height, rows_at_once):
        halves = np.right_shift(image[top : top + rows_at_once], 1, order="C").reshape(-1)
        sums = halves[:-1] + halves[1:]
        grey[top : top + rows_at_once] = sums[::3].reshape(-1, width)
    return grey


def _new_page(height: int, width: int) -> Grey:
    """Its rows begin at even addresses, as _halve() needs it to be quick."""
    return np.empty((height, width + width % 2), np.uint8)[:, :width]


def _halve(page: Grey) -> Grey:
    """Means of 2 x 2 pixels; an odd last row or column is left out.

    Two pixels are a word of 16 bits, so that they are added a word at a time.
    """
    height, width = page.shape[0] // 2, page.shape[1] // 2
    words = page[: 2 * height, : 2 * width].view(np.uint16)
    half = _new_page(height, width)
    rows_at_once = max(1, _CACHED_PIXELS // width // 2)
    for top in range(0, height, rows_at_once):
        pairs = words[2 * top : 2 * (top + rows_at_once)]
        sums = (pairs & 0xFF) + (pairs >> 8)
        half[top : top + rows_at_once] = (sums[::2] + sums[1::2] + 2) >> 2
    return half


def _differences(page: Grey) -> Grey:
    """Between each pixel and its right neighbour. (height, width) -> (height, width - 1)"""
    if page.shape[1] == 1:
        return np.zeros_like(page)
    left, right = page[:, :-1], page[:, 1:]
    differences: Grey = np.maximum(left, right) - np.minimum(left, right)
    return differences


def _edge_threshold(page: Grey) -> float:
    """The difference beyond which a pixel is an edge: above noise, blur and JPEG's ripples."""
    sample = Image.fromarray(_differences(_sample_rows(page)))
    tiles = np.asarray(sample.reduce(_NOISE_TILE))
    floor = max(_LEAST_CONTRAST, _NOISE_FACTOR * float(np.quantile(tiles, _NOISE_SHARE)))
    values, histogram = np.arange(256), np.array(sample.histogram(), dtype=np.float64)
    clear = np.where(values > floor, histogram, 0)
    if not clear.any():
        return floor
    return max(floor, _EDGE_SHARE * float(np.average(values, weights=clear)))


def _sample_rows(page: Grey) -> Grey:
    """Rows as high as a tile, a quarter of a large page's; all of a small one's.

    They lie at uneven distances, so that no spacing of lines falls in with theirs.
    """
    period = _SAMPLE_PERIOD * _NOISE_TILE
    num_samples = len(page) // period
    if num_samples < _LEAST_SAMPLES:
        return page
    places = np.arange(num_samples)
    starts = places * period + (places * _GOLDEN_RATIO % 1 * (period - _NOISE_TILE)).astype(int)
    rows = starts[:, np.newaxis] + np.arange(_NOISE_TILE)
    sample: Grey = page[rows.ravel()]
    return sample


def _count_edges(page: Grey, threshold: float) -> Counts:
    """Edges in each row of each strip. -> (num_rows, num_strips)"""
    halves = _count_in_half_strips(page, math.floor(threshold))
    if halves.shape[1] == 1:
        return halves
    return halves[:, :-1] + halves[:, 1:]


def _count_in_half_strips(page: Grey, threshold: int) -> Counts:
    """A half strip is a word of 32 bits, so that a row's edges are counted a word at a time.

    The last one counts as if it went on as it began. -> (num_rows, num_half_strips)
    """
    num_rows, width = page.shape[0], max(1, page.shape[1] - 1)
    num_halves = -(-width // _HALF_STRIP)
    bits = np.zeros((num_rows, num_halves * _HALF_STRIP // 8), np.uint8)
    rows_at_once = max(1, _CACHED_PIXELS // width)
    for top in range(0, num_rows, rows_at_once):
        is_edge = _differences(page[top : top + rows_at_once]) > threshold
        bits[top : top + rows_at_once, : -(-width // 8)] = np.packbits(is_edge, axis=1)
    counts = np.bitwise_count(bits.view(np.uint32)).astype(np.int16)
    rest = width - (num_halves - 1) * _HALF_STRIP
    counts[:, -1] = counts[:, -1] * _HALF_STRIP // rest
    return counts


def _is_marked(edges: Counts) -> bool:
    return int((edges >= _LEAST_EDGES).sum()) >= _LEAST_MARKED_ROWS


def _find_bands(edges: Counts, scale: int, least_height: int) -> _Bands:
    """Bands of dense rows, one under another in each strip, that can be writing."""
    densest = _densest_within_reach(edges)
    # Strip under strip in one long column, an empty row between them.
    counts, limits = _one_column(edges), _one_column(densest)
    starts, ends = _find_runs(counts, limits)
    totals = np.concatenate([[0], np.cumsum(counts)])
    heights, num_edges = (ends - starts).astype(np.float64), (totals[ends] - totals[starts])
    strip = 2 * _HALF_STRIP
    expected = np.minimum(_MAX_EDGE_DENSITY * strip, _EDGES_PER_LETTER * strip / heights) * heights
    share = num_edges / expected
    is_writing = (
        (heights >= least_height)
        & (heights <= _BAND_HEIGHTS[1])
        & (share > _LEAST_LETTER_SHARE)
        & (share < _GREATEST_LETTER_SHARE)
    )
    # Strips overlap by half: each letter is in two of them.
    num_letters = np.minimum(share, 1) * (strip / heights) / 2
    return _Bands(
        heights[is_writing] * scale, num_edges[is_writing] * float(scale), num_letters[is_writing]
    )


def _one_column(rows: Counts) -> Counts:
    num_rows, num_strips = rows.shape
    column = np.zeros((num_strips, num_rows + 2), np.int16)
    column[:, 1:-1] = rows.T
    return column.reshape(-1)


def _find_runs(counts: Counts, densest: Counts) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where bands of dense rows begin and end. Thin rows inside a large letter do not part it."""
    is_marked = counts >= _LEAST_EDGES
    steps = np.diff((is_marked & (counts > _BAND_SHARE * densest)).astype(np.int8))
    starts, ends = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1
    if starts.size == 0:
        return starts, ends
    num_empty = np.cumsum(counts <= _GAP_SHARE * densest)
    is_filled = num_empty[starts[1:] - 1] == num_empty[ends[:-1] - 1]
    heights, gaps = ends - starts, starts[1:] - ends[:-1]
    is_thin = gaps <= _MAX_GAP * np.maximum(heights[1:], heights[:-1])
    is_parted = ~(is_filled & is_thin)
    return starts[np.append(True, is_parted)], ends[np.append(is_parted, True)]


def _densest_within_reach(edges: Counts) -> Counts:
    """For each row the maximum over the rows up to about _REACH above and below it."""
    densest, reach = edges, 0
    while reach < _REACH:
        step = min(reach + 1, _REACH - reach)
        nearer, densest = densest, densest.copy()
        np.maximum(densest[step:], nearer[:-step], out=densest[step:])
        np.maximum(densest[:-step], nearer[step:], out=densest[:-step])
        reach += step
    return densest


def _summarize(levels: list[_Bands]) -> Writing:
    """The height of the smallest writing that counts, by edges and by letters.

    By edges, bits of large letters weigh little; by letters, small print beside a picture or a
    poster's headline weighs much.
    """
    heights = np.concatenate([level.heights for level in levels])
    num_edges = np.concatenate([level.num_edges for level in levels])
    num_letters = np.concatenate([level.num_letters for level in levels])
    if heights.size == 0:
        return Writing(0.0, 0)
    by_edges = _quantile(heights, num_edges, SMALLEST_SHARE_OF_EDGES)
    by_letters = _quantile(heights, num_letters, SMALLEST_SHARE_OF_LETTERS)
    return Writing(min(by_edges, by_letters), round(float(num_letters.sum())))


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The value that this share of the weights does not reach."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, share * cumulated[-1])])
