import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from PIL import Image

from folio.documents.document import FailedPage, RenderedPage, open_document
from folio.documents.render_process import RenderProcess
from folio.documents.rendering import RendererName, RenderLimits
from folio.preprocessing.density import Writing, measure_writing
from tests.unit.documents_pdf.pdfs import raw_pdf, write_pdf, write_tiff

LIMITS = RenderLimits(max_page_pixels=1_000_000, max_frame_pixels=6_000_000)
BOTH = pytest.mark.parametrize("renderer", [RendererName.MUPDF, RendererName.PDFIUM])


@pytest.fixture(scope="module")
def process() -> Iterator[RenderProcess]:
    with RenderProcess(LIMITS) as process:
        yield process


def render(
    path: Path, process: RenderProcess, renderer: RendererName = RendererName.MUPDF, dpi: int = 144
) -> list[RenderedPage | FailedPage]:
    document = open_document(path, process, renderers=(renderer,), dpi=dpi)
    return list(document.render_pages(range(1, document.num_pages + 1)))


def render_one(
    path: Path, process: RenderProcess, renderer: RendererName = RendererName.MUPDF, dpi: int = 144
) -> RenderedPage:
    (page,) = render(path, process, renderer, dpi)
    assert isinstance(page, RenderedPage)
    return page


@BOTH
def test_every_page_comes_under_its_own_number(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    document = open_document(write_pdf(tmp_path / "a.pdf", 7), process, renderers=(renderer,))

    pages = list(document.render_pages((2, 3, 7)))

    assert [page.page_number for page in pages] == [2, 3, 7]
    reds = [page.pixels[300, 200].tolist() for page in pages if isinstance(page, RenderedPage)]
    assert reds == [[20, 0, 255], [30, 0, 255], [70, 0, 255]]


@BOTH
def test_dpi_gives_the_size(process: RenderProcess, tmp_path: Path, renderer: RendererName) -> None:
    page = render_one(write_pdf(tmp_path / "a.pdf", 1), process, renderer, dpi=72)

    assert page.pixels.shape == (300, 200, 3)
    assert page.pixels.dtype == np.uint8
    assert page.pixels.flags.writeable


@BOTH
def test_rotation_is_honoured(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    path = raw_pdf(
        tmp_path / "a.pdf", page_entries="/Rotate 90", content=b"1 0 0 rg 0 0 20 30 re f"
    )

    page = render_one(path, process, renderer, dpi=72)

    assert page.pixels.shape == (200, 300, 3)
    assert page.pixels[2, 2].tolist() == [255, 0, 0]  # what was bottom left is top left


@BOTH
def test_the_crop_box_is_honoured(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    path = raw_pdf(
        tmp_path / "a.pdf",
        page_entries="/CropBox[50 50 150 100]",
        content=b"1 0 0 rg 50 50 100 50 re f",
    )

    page = render_one(path, process, renderer, dpi=72)

    assert page.pixels.shape == (50, 100, 3)
    assert (page.pixels == [255, 0, 0]).all()


@BOTH
@pytest.mark.parametrize("box", ["0 0 14400 14400", "0 0 14400 1", "0 0 9e6 9e6"])
def test_a_huge_page_is_scaled_to_the_limits(
    process: RenderProcess, tmp_path: Path, renderer: RendererName, box: str
) -> None:
    page = render_one(raw_pdf(tmp_path / "a.pdf", media_box=box), process, renderer, dpi=600)

    height, width = page.pixels.shape[:2]
    assert width * height <= LIMITS.max_page_pixels + width + height
    assert max(width, height) <= LIMITS.max_side_pixels + 1


@BOTH
@pytest.mark.parametrize("box", ["0 0 1 1", "0 0 .01 .01", "0 0 0 0", "100 100 0 0"])
def test_a_tiny_page_is_a_page(
    process: RenderProcess, tmp_path: Path, renderer: RendererName, box: str
) -> None:
    page = render_one(raw_pdf(tmp_path / "a.pdf", media_box=box), process, renderer)

    assert (page.pixels == 255).all()


@BOTH
def test_what_was_filled_into_a_form_is_seen(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    document = pymupdf.open()
    widget = pymupdf.Widget()
    widget.rect = pymupdf.Rect(20, 20, 180, 60)
    widget.field_type = pymupdf.PDF_WIDGET_TYPE_TEXT
    widget.field_name = "name"
    widget.field_value = "Ada Lovelace"
    document.new_page(width=200, height=100).add_widget(widget)
    document.save(tmp_path / "form.pdf")

    page = render_one(tmp_path / "form.pdf", process, renderer)

    assert page.pixels.min() < 100


def test_a_page_that_is_missing_from_the_file_is_a_failed_page(
    process: RenderProcess, tmp_path: Path
) -> None:
    path = raw_pdf(tmp_path / "a.pdf", kids="3 0 R 9 0 R", count=2)

    first, second = open_document(path, process).render_pages((1, 2))

    assert isinstance(first, RenderedPage)
    assert first.renderer == RendererName.PDFIUM
    assert isinstance(second, FailedPage)
    assert second.page_number == 2
    assert second.reason.startswith("The page cannot be rendered. mupdf: ")
    assert second.reason.endswith("pdfium: Failed to load page.")


def test_a_truncated_pdf_gives_the_pages_that_are_left(
    process: RenderProcess, tmp_path: Path
) -> None:
    path = write_pdf(tmp_path / "a.pdf", 20)
    path.write_bytes(path.read_bytes()[:-3000])

    pages = render(path, process)

    assert [page.page_number for page in pages] == list(range(1, len(pages) + 1))
    assert isinstance(pages[0], RenderedPage)


def test_frames_come_upright_and_in_rgb(process: RenderProcess, tmp_path: Path) -> None:
    frames = [
        Image.new("RGB", (30, 40), (10, 20, 30)),
        Image.new("1", (50, 20), 1),
        Image.new("L", (60, 10), 77),
    ]

    pages = render(write_tiff(tmp_path / "a.tif", frames), process)

    corners = [page.pixels[0, 0].tolist() for page in pages if isinstance(page, RenderedPage)]
    assert corners == [[10, 20, 30], [255, 255, 255], [77, 77, 77]]


@pytest.mark.parametrize("mode", ["1", "RGB"])
def test_a_large_frame_is_reduced(process: RenderProcess, tmp_path: Path, mode: str) -> None:
    page = render_one(write_tiff(tmp_path / "a.tif", [Image.new(mode, (2000, 2500))]), process)

    assert page.pixels.shape == (834, 667, 3)


def test_a_frame_beyond_the_limit_fails_alone(process: RenderProcess, tmp_path: Path) -> None:
    frames = [Image.new("1", (3000, 3000)), Image.new("1", (30, 30))]

    first, second = render(write_tiff(tmp_path / "a.tif", frames), process)

    assert isinstance(first, FailedPage)
    assert "at most 6,000,000" in first.reason
    assert isinstance(second, RenderedPage)


def test_a_tiff_cut_short_fails_at_its_last_frame(process: RenderProcess, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    path = write_tiff(tmp_path / "a.tif", [Image.new("L", (9, 9)), Image.fromarray(noise)])
    path.write_bytes(path.read_bytes()[:-50_000])

    first, second = render(path, process)

    assert isinstance(first, RenderedPage)
    assert isinstance(second, FailedPage)


@BOTH
def test_the_child_measures_the_writing_where_it_is_asked_to(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    path = write_pdf(tmp_path / "a.pdf", 1)
    document = open_document(path, process, renderers=(renderer,), measures_writing=True)

    (page,) = document.render_pages((1,))

    assert isinstance(page, RenderedPage)
    assert page.writing == measure_writing(page.pixels)
    assert render_one(path, process, renderer).writing is None


def test_a_blank_page_comes_through_with_writing_of_no_height(
    process: RenderProcess, tmp_path: Path
) -> None:
    document = open_document(raw_pdf(tmp_path / "a.pdf"), process, measures_writing=True)

    (page,) = document.render_pages((1,))

    assert isinstance(page, RenderedPage)
    assert page.writing == Writing(math.inf, 0)
