"""Page images for tests, printed with the one font that Pillow brings along."""

import io
from collections.abc import Sequence

import pillow_heif
from PIL import Image, ImageDraw, ImageFont

TEXT = (
    "The quick brown fox jumps",
    "over the lazy dog. 12345",
    "Invoice total: $678.90",
    "Please pay by Friday!",
)


def print_page(
    lines: Sequence[str] = TEXT,
    *,
    size: tuple[int, int] = (640, 640),
    font_size: int = 32,
    margin: int = 30,
) -> Image.Image:
    """Black text on white, one line under the other."""
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(font_size)
    for number, line in enumerate(lines):
        draw.text((margin, margin + 10 + number * int(font_size * 1.4)), line, "black", font)
    return page


def encode(page: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The file's bytes."""
    buffer = io.BytesIO()
    if file_format == "HEIF":
        pillow_heif.from_pillow(page).save(buffer, **options)
        return buffer.getvalue()
    page.save(buffer, file_format, **options)
    return buffer.getvalue()
