"""What the browser tests drop: sheets for the script, and documents of a page that the model reads.

Usage: python -m tests.e2e.files FOLDER
"""

import sys
from pathlib import Path

import pymupdf
from PIL import Image, ImageDraw, ImageFont

from tests.pages import encode

EXAMPLE = Path(__file__).parents[2] / "docs" / "example.png"  # the small model reads it well
WIDTH, HEIGHT = 1240, 1754
NUM_SHEETS = 8

# What stands where: the fake engine says these, the picture shows them. In pixels.
TITLE = ("Tides of the northern basin", (110, 120, 1010, 180))
INTRO = (
    "Twelve gauges were read every hour from March to October. The mean range grew with "
    "the depth of the basin, from 0.4 m at the inlet to 2.1 m at the head.",
    (110, 230, 1130, 360),
)
HEADING = ("Readings", (110, 420, 400, 470))
TABLE = (("Gauge", "Depth in m", "Range in m"), ("Inlet", "3.5", "0.4"), ("Narrows", "11.0", "1.3"))
TABLE_BOX = (110, 500, 1130, 680)
FORMULA_BOX = (400, 740, 840, 820)
FIGURE_BOX = (110, 880, 1130, 1440)
CAPTION = ("Figure 1: range over depth, one point a gauge.", (110, 1460, 900, 1500))
CLOSING = ("The head of the basin resonates: see <i>chapter 4</i>.", (110, 1560, 1130, 1610))


def print_sheet(page_number: int = 1) -> Image.Image:
    """The page, as the fake engine reads it."""
    page = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(page)
    small, large = ImageFont.load_default(29), ImageFont.load_default(52)
    draw.text(TITLE[1][:2], TITLE[0], "black", large)
    words, line, top = INTRO[0].split(), "", INTRO[1][1]
    for word in words:
        if draw.textlength(f"{line} {word}", small) > WIDTH - 220:
            draw.text((110, top), line, "black", small)
            line, top = "", top + 42
        line = f"{line} {word}".strip()
    draw.text((110, top), line, "black", small)
    draw.text(HEADING[1][:2], HEADING[0], "black", ImageFont.load_default(40))
    _draw_table(draw, small)
    draw.text((440, 755), "R = a · d · d / 2", "black", ImageFont.load_default(44))
    _draw_figure(draw)
    draw.text(CAPTION[1][:2], CAPTION[0], "black", small)
    draw.text(CLOSING[1][:2], CLOSING[0], "black", small)
    draw.text((WIDTH // 2, 1680), str(page_number), "black", small)
    return page


def _draw_table(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> None:
    left, top, right, bottom = TABLE_BOX
    row_height, column_width = (bottom - top) / len(TABLE), (right - left) / 3
    for row, cells in enumerate(TABLE):
        for column, cell in enumerate(cells):
            corner = (left + column * column_width, top + row * row_height)
            draw.rectangle(
                (*corner, corner[0] + column_width, corner[1] + row_height), None, "gray"
            )
            draw.text((corner[0] + 14, corner[1] + 12), cell, "black", font)


def _draw_figure(draw: ImageDraw.ImageDraw) -> None:
    left, _, _, bottom = FIGURE_BOX
    draw.rectangle(FIGURE_BOX, "#f2f5f4", "#9aa5a1")
    points = [(left + 90 * n, bottom - 30 - 3.4 * n * n) for n in range(1, 12)]
    draw.line(points, "#0b6b57", 5)
    for x, y in points:
        draw.ellipse((x - 10, y - 10, x + 10, y + 10), "#0b6b57")


def write_document(path: Path, num_pages: int) -> None:
    """A PDF of such pages, the same ones again after `NUM_SHEETS`."""
    with pymupdf.open() as document:
        pictures: list[int] = []  # where the document holds them
        for number in range(1, num_pages + 1):
            page = document.new_page(width=595, height=842)
            if number <= NUM_SHEETS:
                sheet = encode(print_sheet(number), "JPEG", quality=60)
                pictures.append(page.insert_image(page.rect, stream=sheet))
            else:
                page.insert_image(page.rect, xref=pictures[(number - 1) % NUM_SHEETS])
        document.save(path)


def write_examples_document(
    path: Path, num_pages: int, *, missing_page: int = 0, password: str | None = None
) -> None:
    """A PDF with the same picture on every page, but one, which is missing from the file."""
    with pymupdf.open() as document:
        for _ in range(num_pages):
            page = document.new_page(width=320, height=180)
            page.insert_image(page.rect, filename=EXAMPLE)
        if missing_page:
            _lose_page(document, missing_page)
        encryption = pymupdf.PDF_ENCRYPT_AES_256 if password else pymupdf.PDF_ENCRYPT_NONE
        document.save(path, encryption=encryption, user_pw=password, owner_pw=password)


def _lose_page(document: pymupdf.Document, page_number: int) -> None:
    tree = int(document.xref_get_key(document.pdf_catalog(), "Pages")[1].split()[0])
    pages = document.xref_get_key(tree, "Kids")[1]
    lost = f"{document.page_xref(page_number - 1)} 0 R"
    document.xref_set_key(tree, "Kids", pages.replace(lost, "9999 0 R"))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print_sheet().save(folder / "tides.png")
    write_document(folder / "report.pdf", 6)
    write_document(folder / "long.pdf", 40)
    write_document(folder / "book.pdf", 500)
    write_examples_document(folder / "example.pdf", 2)
    write_examples_document(folder / "examples.pdf", 60)
    write_examples_document(folder / "damaged.pdf", 3, missing_page=2)
    write_examples_document(folder / "locked.pdf", 1, password="secret")


if __name__ == "__main__":
    main()
