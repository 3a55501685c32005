"""Pages that are one scanned picture are drawn without MuPDF, and look as if it had drawn them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from folio.documents.mupdf import MupdfRenderer
from folio.documents.rendering import RenderLimits
from folio.documents.scans import draw_scan, parse_content

WIDTH, HEIGHT = 300, 400  # points
PIXELS_PER_POINT = 200 / 72
Page = NDArray[np.uint8]
Change = Callable[[pymupdf.Document, pymupdf.Page], object]


def scan(mode: str = "RGB", picture_format: str = "JPEG") -> bytes:
    size = round(WIDTH * PIXELS_PER_POINT), round(HEIGHT * PIXELS_PER_POINT)
    page = Image.new("RGB", size, (250, 247, 240))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(30)
    for y in range(60, size[1] - 60, 60):
        draw.text((60, y), "printed long ago, and scanned", "black", font)
    draw.ellipse((300, 300, 600, 600), fill=(200, 40, 40))
    buffer = io.BytesIO()
    page.convert(mode).save(buffer, picture_format)
    return buffer.getvalue()


def scanned(change: Change | None = None, picture: bytes | None = None) -> pymupdf.Page:
    document = pymupdf.open()
    page = document.new_page(width=WIDTH, height=HEIGHT)
    page.insert_image(page.rect, stream=scan() if picture is None else picture)
    if change is not None:
        change(document, page)
    reopened = pymupdf.open(stream=document.tobytes())
    return reopened[0]


def draw(page: pymupdf.Page, dpi: float) -> Page | None:
    return draw_scan(page, scale=dpi / 72, limits=RenderLimits())


def draw_by_mupdf(page: pymupdf.Page, dpi: float) -> Page:
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(dpi / 72, dpi / 72), alpha=False)
    return np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width, 3)


@pytest.mark.parametrize("dpi", [50, 72, 100, 144, 150, 199])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_scan_looks_as_mupdf_draws_it(mode: str, dpi: float) -> None:
    page = scanned(picture=scan(mode))

    drawn, by_mupdf = draw(page, dpi), draw_by_mupdf(page, dpi)

    assert drawn is not None
    assert drawn.shape == by_mupdf.shape
    # Two ways to make a picture smaller: a few levels along the edges of letters.
    assert np.abs(drawn.astype(int) - by_mupdf).mean() < 2


def test_a_scan_beyond_the_crop_box_is_cut_where_mupdf_cuts_it() -> None:
    page = scanned(lambda _, page: page.set_cropbox(pymupdf.Rect(30, 50, 250, 330)))

    drawn, by_mupdf = draw(page, 144), draw_by_mupdf(page, 144).astype(int)

    assert drawn is not None
    assert drawn.shape == by_mupdf.shape
    # MuPDF rounds what it cuts out to whole pixels: it is nearest where nothing is shifted.
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    errors = {by: np.abs(np.roll(drawn, by, (0, 1)) - by_mupdf).mean() for by in shifts}
    assert min(errors, key=lambda by: errors[by]) == (0, 0)
    assert errors[0, 0] < 6


def set_image_key(key: str, value: str) -> Change:
    def change(document: pymupdf.Document, page: pymupdf.Page) -> None:
        document.xref_set_key(page.get_images()[0][0], key, value)

    return change


OTHERS: dict[str, Change] = {
    "text": lambda _, page: page.insert_text((50, 50), "Page 7"),
    "drawing": lambda _, page: page.draw_rect((50, 50, 90, 90), fill=(1, 0, 0)),
    "annotation": lambda _, page: page.add_highlight_annot((50, 50, 90, 90)),
    "rotation": lambda _, page: page.set_rotation(90),
    "second picture": lambda _, page: page.insert_image((0, 0, 50, 50), stream=scan("L")),
    "inverted": set_image_key("Decode", "[1 0 1 0 1 0]"),
    "hidden": set_image_key("OC", "<</Type/OCG/Name(layer)>>"),
    "masked by colour": set_image_key("Mask", "[0 9 0 9 0 9]"),
    "other colours": set_image_key("ColorSpace", "[/Lab<</WhitePoint[0.95 1 1.09]>>]"),
    "larger units": lambda document, page: document.xref_set_key(page.xref, "UserUnit", "2"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_could_look_different_is_left_to_mupdf(what: str) -> None:
    assert draw(scanned(OTHERS[what]), 144) is None


def test_a_picture_that_does_not_cover_the_page_is_left_to_mupdf() -> None:
    document = pymupdf.open()
    page = document.new_page(width=WIDTH, height=HEIGHT)
    page.insert_image((0, 0, WIDTH, HEIGHT - 5), stream=scan(), keep_proportion=False)

    assert draw(page, 144) is None


def test_a_coarse_scan_is_left_to_mupdf_which_enlarges_it() -> None:
    assert draw(scanned(), 300) is None


def test_a_picture_that_is_no_jpeg_is_left_to_mupdf() -> None:
    assert draw(scanned(picture=scan(picture_format="PNG")), 144) is None


def test_a_broken_scan_is_left_to_mupdf() -> None:
    def break_off(document: pymupdf.Document, page: pymupdf.Page) -> None:
        xref = page.get_images()[0][0]
        half = document.xref_stream_raw(xref)[:5000]
        document.update_stream(xref, half, compress=False)
        document.xref_set_key(xref, "Filter", "/DCTDecode")

    assert draw(scanned(break_off), 144) is None


def test_a_page_that_is_drawn_so_goes_the_same_way(tmp_path: Path) -> None:
    page = scanned()
    path = tmp_path / "scan.pdf"
    page.parent.save(path)
    renderer = MupdfRenderer(path, RenderLimits())

    drawn = draw(page, 144)

    assert drawn is not None
    assert (renderer.render_page(1, dpi=144) == drawn).all()
    renderer.close()


def test_the_matrices_of_a_picture_are_multiplied() -> None:
    drawn = parse_content(b"q 2 0 0 2 10 20 cm q 100 0 0 200 1 2 cm /Im0 Do Q Q")

    assert drawn == ("Im0", pymupdf.Matrix(200, 0, 0, 400, 12, 24))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"q 100 0 0 200 0 0 cm Q",
        b"q 100 0 0 -200 0 200 cm /Im0 Do Q",  # upside down
        b"q 0 100 -200 0 0 0 cm /Im0 Do Q",  # turned
        b"q 0 0 50 50 re W n 100 0 0 200 0 0 cm /Im0 Do Q",  # clipped
        b"q /GS0 gs 100 0 0 200 0 0 cm /Im0 Do Q",  # transparent, perhaps
        b"100 0 0 200 0 0 cm /Im0 Do /Im1 Do",
        b"100 0 0 200 0 cm /Im0 Do",
        b"Q 100 0 0 200 0 0 cm /Im0 Do",
        b"100 0 0 200 0 0 cm /Im0 Do " + b"q Q " * 1000,
    ],
)
def test_any_other_content_is_left_to_mupdf(content: bytes) -> None:
    assert parse_content(content) is None
