"""What MuPDF keeps between pages."""

import os
from pathlib import Path

import psutil
import pymupdf

from folio.documents.mupdf import MupdfRenderer
from folio.documents.rendering import RenderLimits

SIDE = 1500
PICTURE_BYTES = SIDE * SIDE * 3


def write_pictures(path: Path, num_pages: int) -> Path:
    """Each page with a picture of its own."""
    document = pymupdf.open()
    for number in range(num_pages):
        pixels = bytes((number, 0, 255)) * (SIDE * SIDE)
        page = document.new_page(width=SIDE, height=SIDE)
        picture = pymupdf.Pixmap(pymupdf.csRGB, SIDE, SIDE, pixels, False)
        page.insert_image(page.rect, pixmap=picture)
    document.save(path, deflate=True)
    return path


def test_a_renderer_of_every_second_page_keeps_few_pictures(tmp_path: Path) -> None:
    renderer = MupdfRenderer(write_pictures(tmp_path / "pictures.pdf", 70), RenderLimits())
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss

    peak = before
    for page_number in range(1, 71, 2):
        renderer.render_page(page_number, dpi=72)
        peak = max(peak, process.memory_info().rss)
    renderer.close()

    assert peak - before < 24 * PICTURE_BYTES
