"""Where a page is cut, and whether there is anything on it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from folio.pipeline.halves import LEAST_HEIGHT, Cut, cut_in_halves, find_cut, whitest_row
from folio.pipeline.ink import has_ink, is_almost_blank, measure_rows
from tests.pages import print_page


def striped(height: int = 1000, *, pitch: int = 40, line: int = 20) -> NDArray[np.int64]:
    """Lines of ink, `line` rows high, one every `pitch` rows."""
    rows = np.arange(height) % pitch
    return np.where(rows < line, 50, 0).astype(np.int64)


def page(level: int = 255, *, size: tuple[int, int] = (800, 600)) -> NDArray[np.uint8]:
    return np.full((*size, 3), level, dtype=np.uint8)


@pytest.mark.parametrize("pitch", [15, 25, 40, 75, 110])
def test_both_edges_lie_between_lines(pitch: int) -> None:
    ink = striped(pitch=pitch, line=pitch // 2)
    cut = find_cut(ink)
    assert cut is not None
    assert ink[cut.lower_start] == ink[cut.upper_end] == 0


def test_a_page_of_ordinary_lines_is_cut_near_its_middle_with_some_overlap() -> None:
    cut = find_cut(striped(pitch=30, line=20))
    assert cut is not None
    assert 350 < cut.lower_start < cut.upper_end < 650
    assert cut.upper_end - cut.lower_start >= 60


def test_the_middle_is_that_of_what_is_printed() -> None:
    ink = np.zeros(2000, dtype=np.int64)
    ink[100:500] = striped(400, pitch=20, line=12)
    cut = find_cut(ink)
    assert cut is not None
    assert 240 < cut.lower_start <= cut.upper_end < 380


def test_a_gap_between_paragraphs_is_preferred_to_one_between_lines() -> None:
    ink = striped(pitch=20, line=15)
    ink[420:450] = 0
    assert 420 <= whitest_row(ink, 500, reach=150) < 450


def test_where_no_row_is_white_the_whitest_is_taken() -> None:
    ink = striped(pitch=40, line=20) + 3  # a table's rules go through every row
    ink[490] = 1
    assert whitest_row(ink, 500, reach=100) == 490


def test_a_solid_picture_is_cut_through_its_middle() -> None:
    cut = find_cut(np.full(1000, 80, dtype=np.int64))
    assert cut is not None
    assert 400 < cut.lower_start < 500 < cut.upper_end < 600


@pytest.mark.parametrize("height", [0, 1, LEAST_HEIGHT - 1])
def test_what_is_too_low_is_not_cut(height: int) -> None:
    ink = np.zeros(2000, dtype=np.int64)
    ink[700 : 700 + height] = 9
    assert find_cut(ink) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2), (127, 500)])
def test_pages_that_cannot_be_cut_are_told(size: tuple[int, int]) -> None:
    assert cut_in_halves(page(size=size)) is None


def test_halves_overlap_and_hold_the_whole_page() -> None:
    image = np.arange(1000 * 3, dtype=np.uint8).reshape(1000, 1, 3)
    cut = Cut(400, 600)
    upper, lower = cut.upper(image), cut.lower(image)
    assert (np.concatenate([upper[:400], lower]) == image).all()
    assert (upper[400:] == lower[:200]).all()


def test_the_halves_of_a_printed_page_are_cut_between_its_lines() -> None:
    image = np.asarray(print_page([f"Line {n}" for n in range(14)]))
    cut = cut_in_halves(image)
    assert cut is not None
    assert (image[cut.lower_start] == 255).all()
    assert (image[cut.upper_end] == 255).all()


@pytest.mark.parametrize("paper", [255, 128, 0])
def test_rows_of_writing_have_ink_on_any_paper(paper: int) -> None:
    image = page(paper)
    image[100:110, 50:550:4] = 255 - paper if paper != 128 else 250
    ink = measure_rows(image)
    assert ink[100:110].min() > 0
    assert ink[:100].sum() == ink[110:].sum() == 0


@pytest.mark.parametrize("level", [0, 100, 255])
def test_an_even_page_has_no_ink(level: int) -> None:
    assert not has_ink(page(level))


def test_what_nobody_can_see_is_no_ink() -> None:
    image = page(250)
    image[::2] = 252
    assert not has_ink(image)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 0), (235, 255, 255), (255, 255, 200)])
def test_a_single_dot_of_any_colour_is_ink(colour: tuple[int, int, int]) -> None:
    image = page()
    image[333, 77] = colour
    assert has_ink(image)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_the_smallest_pages_are_looked_at(size: tuple[int, int]) -> None:
    assert not has_ink(page(size=size))


def test_noise_is_almost_blank_and_a_line_of_writing_is_not() -> None:
    noise = np.random.default_rng(1).normal(250, 2, (800, 600, 3)).clip(0, 255).astype(np.uint8)
    assert has_ink(noise)
    assert is_almost_blank(noise)
    assert not is_almost_blank(np.asarray(print_page(["One line of writing"])))
