"""PDFs for tests: ordinary ones by PyMuPDF, hostile ones byte by byte."""

import io
import zlib
from pathlib import Path

import pymupdf
from PIL import Image


def write_pdf(path: Path, num_pages: int = 3, *, width: float = 200, height: float = 300) -> Path:
    """Pages of this size in points; each says its number and is shaded by it."""
    document = pymupdf.open()
    for number in range(1, num_pages + 1):
        page = document.new_page(width=width, height=height)
        page.insert_text((20, 40), f"page {number}", fontsize=20)
        page.draw_rect((50, 100, 150, 200), color=None, fill=shade(number))
    document.save(path)
    return path


def shade(page_number: int) -> tuple[float, float, float]:
    """The colour of a page's square: red counts the pages."""
    return (page_number * 10 % 250 / 255, 0, 1)


def raw_pdf(
    path: Path,
    *,
    media_box: str = "0 0 200 300",
    page_entries: str = "",
    content: bytes = b"",
    compressed: bool = False,
    kids: str = "3 0 R",
    count: int = 1,
    objects: bytes = b"",
) -> Path:
    """A PDF of one page as it is written here, without a cross-reference table."""
    stream = zlib.compress(content, 9) if compressed else content
    stream_filter = "/Filter/FlateDecode" if compressed else ""
    path.write_bytes(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        + f"2 0 obj<</Type/Pages/Kids[{kids}]/Count {count}>>endobj\n"
        f"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[{media_box}]{page_entries}"
        f"/Contents 4 0 R>>endobj\n"
        f"4 0 obj<<{stream_filter}/Length {len(stream)}>>stream\n".encode()
        + stream
        + b"\nendstream endobj\n"
        + objects
        + b"trailer<</Root 1 0 R>>\n%%EOF"
    )
    return path


def write_tiff(path: Path, frames: list[Image.Image]) -> Path:
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    path.write_bytes(buffer.getvalue())
    return path
