"""The measure of a page's writing, and the mode that it leads to, over pages of many kinds."""

import io
import math
import random
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from folio.preprocessing.density import (
    LEAST_LETTER_HEIGHT,
    MAX_CHARACTERS_PER_IMAGE_TOKEN,
    Writing,
    cheapest_mode,
    choose_mode,
    measure_writing,
)
from folio.preprocessing.resolution import Mode

A4 = (1240, 1754)  # at 150 dpi
SHEET = (760, 900)  # drawn and measured quickly
DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
DEJAVU_FONTS = ["DejaVuSans", "DejaVuSerif", "DejaVuSans-Bold", "DejaVuSansMono"]
TEXT = """the page says that every line of its writing is as high as any other one and that a
quick brown fox jumps over lazy dogs while forty-two sphinxes of black quartz judge my vow"""
WORDS = TEXT.split()

Page = NDArray[np.uint8]


def font_at(size: int, name: str | None = None) -> ImageFont.FreeTypeFont:
    if name is None:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    path = DEJAVU / f"{name}.ttf"
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    return ImageFont.truetype(path, size)


def draw_lines(
    page: Image.Image,
    font: ImageFont.FreeTypeFont,
    area: tuple[int, int, int, int],
    *,
    numbers: bool = False,
    spacing: float = 1.3,
) -> int:
    """Fill an area with lines. -> number of characters"""
    rng = random.Random(1)
    draw = ImageDraw.Draw(page)
    left, top, right, bottom = area
    y, num_characters = float(top), 0
    while y + font.size * 1.3 < bottom:
        line = ""
        while True:
            word = str(rng.randint(0, 99_999)) if numbers else rng.choice(WORDS)
            if font.getlength(line + word) > right - left:
                break
            line += word + " "
        draw.text((left, y), line, font=font, fill=0)
        num_characters += len(line)
        y += font.size * spacing
    return num_characters


@lru_cache(maxsize=64)
def text_page(
    size: int,
    page_size: tuple[int, int] = SHEET,
    *,
    font: str | None = None,
    columns: int = 1,
    numbers: bool = False,
    spacing: float = 1.3,
    fill: float = 1.0,
) -> tuple[Image.Image, int]:
    """A page of writing in one size, and how many characters it has."""
    width, height = page_size
    margin = width // 14
    page = Image.new("L", page_size, 255)
    column_width = (width - margin * (columns + 1)) // columns
    num_characters = 0
    for column in range(columns):
        left = margin + column * (column_width + margin)
        area = (left, margin, left + column_width, int(height * fill) - margin)
        num_characters += draw_lines(
            page, font_at(size, font), area, numbers=numbers, spacing=spacing
        )
    return page, num_characters


def pixels(page: Image.Image) -> Page:
    return np.asarray(page.convert("RGB"))


def x_height(size: int, font: str | None = None) -> int:
    _, top, _, bottom = font_at(size, font).getbbox("x")
    return int(bottom - top)


def assert_measures(page: Page, expected: float, *, tolerance: float = 0.25) -> None:
    measured = measure_writing(page).letter_height
    assert abs(measured - expected) <= max(1.5, tolerance * expected), (measured, expected)


@pytest.mark.parametrize("size", [10, 12, 14, 16, 18, 20, 24, 28])
def test_the_height_of_small_letters_is_measured(size: int) -> None:
    page, _ = text_page(size)
    assert_measures(pixels(page), x_height(size))


@pytest.mark.parametrize("size", [36, 44, 60, 90])
def test_large_letters_are_not_taken_for_small_print(size: int) -> None:
    page, _ = text_page(size)
    assert 10 <= measure_writing(pixels(page)).letter_height <= 2.2 * x_height(size)


@pytest.mark.parametrize("name", DEJAVU_FONTS)
@pytest.mark.parametrize("size", [12, 20])
def test_other_fonts_are_measured_too(name: str, size: int) -> None:
    page, _ = text_page(size, font=name)
    assert_measures(pixels(page), x_height(size, name))


@pytest.mark.parametrize("size", [10, 12, 16, 20, 24])
def test_characters_are_counted_to_a_third(size: int) -> None:
    page, num_characters = text_page(size)
    counted = measure_writing(pixels(page)).num_characters
    assert abs(counted - num_characters) < num_characters / 3


def yellowed(page: Image.Image) -> Page:
    return (pixels(page) * np.array([0.95, 0.9, 0.7])).astype(np.uint8)


def noisy(page: Image.Image) -> Page:
    noise = np.random.default_rng(0).normal(0, 15, (page.height, page.width, 1))
    return np.clip(pixels(page) + noise, 0, 255).astype(np.uint8)


def shaded(page: Image.Image) -> Page:
    shade = np.linspace(0.5, 1, page.width)[None, :, None]
    return (pixels(page) * shade).astype(np.uint8)


def as_jpeg(page: Image.Image) -> Page:
    file = io.BytesIO()
    page.save(file, "JPEG", quality=40)
    return pixels(Image.open(file))


def colored(ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Page:
    share = pixels(text_page(16)[0]) / 255
    return (np.array(paper) * share + np.array(ink) * (1 - share)).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: 255 - pixels(page),
        yellowed,
        noisy,
        shaded,
        as_jpeg,
        lambda page: pixels(page.rotate(1.5, Image.Resampling.BICUBIC, fillcolor=255)),
        lambda page: pixels(page.rotate(-1.5, Image.Resampling.BICUBIC, fillcolor=255)),
        lambda page: pixels(page.filter(ImageFilter.GaussianBlur(0.8))),
        lambda page: pixels(page.convert("1")),
        lambda page: 255 - (255 - pixels(page)) // 12,
    ],
    ids=["dark", "yellow", "noisy", "shaded", "jpeg", "left", "right", "blurred", "fax", "faint"],
)
def test_damage_does_not_change_the_measure(change: object) -> None:
    assert callable(change)
    page, _ = text_page(16)
    assert_measures(change(page), x_height(16))


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((255, 0, 0), (255, 255, 255)),
        ((0, 160, 0), (255, 255, 255)),
        ((0, 0, 255), (255, 255, 255)),
        ((255, 255, 255), (200, 0, 0)),
        ((255, 255, 0), (0, 0, 120)),
        ((0, 0, 0), (255, 240, 90)),
    ],
)
def test_colours_do_not_change_the_measure(
    ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    assert_measures(colored(ink, paper), x_height(16))


@pytest.mark.parametrize("columns", [2, 3])
def test_columns_do_not_change_the_measure(columns: int) -> None:
    assert_measures(pixels(text_page(14, columns=columns)[0]), x_height(14))


@pytest.mark.parametrize("spacing", [1.0, 1.15, 2.5])
def test_line_spacing_does_not_change_the_measure(spacing: float) -> None:
    assert_measures(pixels(text_page(16, spacing=spacing)[0]), x_height(16))


def test_ruled_tables_are_measured_by_their_numbers() -> None:
    page = Image.new("L", A4, 255)
    draw, font = ImageDraw.Draw(page), font_at(16)
    for row in range(20):
        for column in range(5):
            x, y = 100 + column * 200, 200 + row * 32
            draw.rectangle((x, y, x + 200, y + 32), outline=0)
            draw.text((x + 8, y + 6), str(10_000 + 37 * row * column), font=font, fill=0)
    assert x_height(16) - 2 <= measure_writing(pixels(page)).letter_height <= 14


def test_small_print_below_large_writing_counts() -> None:
    page, _ = text_page(30, A4, fill=0.8)
    page = page.copy()
    draw_lines(page, font_at(11), (88, 1450, 1150, 1700))
    assert_measures(pixels(page), x_height(11))


def test_writing_beside_a_picture_counts() -> None:
    page = pixels(text_page(16)[0]).copy()
    page[:600] = np.random.default_rng(0).normal(128, 60, (600, 760, 1)).clip(0, 255)
    assert_measures(page, x_height(16))


def test_a_headline_does_not_hide_the_text_below_it() -> None:
    page = Image.new("L", A4, 255)
    ImageDraw.Draw(page).text((80, 200), "POSTER", font=font_at(280), fill=0)
    draw_lines(page, font_at(16), (88, 1000, 1150, 1200))
    assert_measures(pixels(page), x_height(16))


@pytest.mark.parametrize(
    "page",
    [
        np.full((1754, 1240, 3), 255, np.uint8),
        np.zeros((1754, 1240, 3), np.uint8),
        np.random.default_rng(0).normal(240, 6, (500, 400, 3)).clip(0, 255).astype(np.uint8),
        np.full((1, 1, 3), 7, np.uint8),
        np.full((1, 300, 3), 7, np.uint8),
        np.full((300, 1, 3), 7, np.uint8),
        np.full((20, 20, 3), 7, np.uint8),
    ],
    ids=["white", "black", "noisy", "1x1", "300x1", "1x300", "20x20"],
)
def test_a_blank_page_goes_to_the_cheapest_mode(page: Page) -> None:
    assert math.isinf(measure_writing(page).letter_height)
    assert choose_mode(page) is Mode.TINY


def test_marks_that_cannot_be_measured_go_to_gundam() -> None:
    page = np.full((1754, 1240, 3), 255, np.uint8)
    page[400:403, 300:330:3] = 0
    assert measure_writing(page).letter_height == 0
    assert choose_mode(page) is Mode.GUNDAM


def test_a_page_that_drowns_in_noise_goes_to_gundam() -> None:
    noise = np.random.default_rng(0).normal(0, 40, (900, 760, 1))
    page = np.clip(pixels(text_page(16)[0]) + noise, 0, 255).astype(np.uint8)
    assert choose_mode(page) is Mode.GUNDAM


@pytest.mark.parametrize(
    ("size", "page_size", "fill", "expected"),
    [
        (40, (640, 640), 0.5, Mode.SMALL),
        (12, (640, 640), 0.25, Mode.BASE),
        (34, A4, 0.3, Mode.BASE),
        (16, A4, 1.0, Mode.GUNDAM),
        (10, A4, 0.3, Mode.GUNDAM),
    ],
)
def test_smaller_writing_takes_a_dearer_mode(
    size: int, page_size: tuple[int, int], fill: float, expected: Mode
) -> None:
    page, _ = text_page(size, page_size, fill=fill)
    assert choose_mode(pixels(page)) is expected


def test_no_mode_is_chosen_that_makes_letters_too_small() -> None:
    for size in (9, 12, 16, 22):
        for page_size in ((640, 640), (900, 600), (600, 1000)):
            page, _ = text_page(size, page_size, fill=0.4)
            mode = choose_mode(pixels(page))
            side = {Mode.TINY: 512, Mode.SMALL: 640, Mode.BASE: 1024}.get(mode)
            if side is not None:
                scaled = x_height(size) * side / max(page_size)
                assert scaled >= LEAST_LETTER_HEIGHT - 1.5, (size, page_size, mode)


def test_faint_lines_are_found_however_far_apart_they_are() -> None:
    """Contrast is measured in some of the rows: it is not to be measured between the lines."""
    rng = np.random.default_rng(0)
    for spacing in (28, 31, 32, 33, 36, 40, 48, 64):
        page = Image.new("L", (600, 1400), 230)
        draw = ImageDraw.Draw(page)
        for y in range(20, 1360, spacing):
            draw.text((20, y), " ".join(WORDS[:9]), font=font_at(20), fill=120)
        noisy = np.asarray(page) + rng.normal(0, 1.5, (1400, 600))
        grey = np.clip(noisy, 0, 255).astype(np.uint8)

        measured = measure_writing(np.stack([grey] * 3, axis=2)).letter_height

        assert x_height(20) - 2 <= measured <= x_height(20) + 4, spacing


CLEAR = Writing(letter_height=100.0, num_characters=10)


def test_the_direction_that_is_squeezed_most_counts() -> None:
    writing = Writing(letter_height=12.0, num_characters=100)
    assert cheapest_mode(writing, 850, 600) is Mode.SMALL
    assert cheapest_mode(writing, 900, 600) is Mode.BASE
    assert cheapest_mode(writing, 600, 900) is Mode.BASE


def test_a_strip_is_not_stretched_into_a_square() -> None:
    assert cheapest_mode(CLEAR, 800, 500) is Mode.SMALL
    assert cheapest_mode(CLEAR, 900, 90) is Mode.BASE


def test_a_dense_page_gets_more_image_tokens() -> None:
    most = int(MAX_CHARACTERS_PER_IMAGE_TOKEN * 111)
    assert cheapest_mode(Writing(100.0, most), 600, 600) is Mode.SMALL
    assert cheapest_mode(Writing(100.0, most + 1), 600, 600) is Mode.BASE
    assert cheapest_mode(Writing(100.0, 100_000), 600, 600) is Mode.GUNDAM


def test_an_a4_page_is_measured_in_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    page = pixels(text_page(16, A4)[0])
    measure_writing(page)
    started_at = time.process_time()
    for _ in range(5):
        measure_writing(page)
    milliseconds = (time.process_time() - started_at) / 5 * 1000
    with capsys.disabled():
        sys.stdout.write(f" [{milliseconds:.1f} ms of CPU per A4 page at 150 dpi] ")
    assert milliseconds < 200
