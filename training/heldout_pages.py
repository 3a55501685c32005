"""Pages for measuring: another renderer, fonts and words that training never sees.

python -m training.heldout_pages --assets .train/assets --out .train/heldout
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from training.answers import Pieces, grounded_lines, grounded_markdown
from training.corpus import Corpus, load_words
from training.page import Block, Box, Line, Page, enclosing
from training.splits import HELD_OUT_FONTS
from training.vocabulary import TD, TD_END, TR, TR_END

A4_AT_150_DPI = (1240, 1754)


@dataclass(frozen=True)
class HeldOutPage:
    """text: what Free OCR shall answer; markdown and lines: the answers to the grounding
    prompts."""

    name: str
    category: str
    modes: tuple[str, ...]
    font: str
    size: int
    language: str
    text: str
    lines: str
    markdown: str


class Sheet:
    """One page in the making."""

    def __init__(
        self, size: tuple[int, int], font: str, font_size: int, corpus: Corpus, fonts: Path
    ) -> None:
        self.rng, self.corpus = corpus.rng, corpus
        self.paper = self.rng.randint(225, 255)
        self.ink = self.rng.randint(0, 60)
        self.image = Image.new("L", size, self.paper)
        self.draw = ImageDraw.Draw(self.image)
        self.page = Page(*size)
        self.path = next(path for path in fonts.iterdir() if path.stem == font)
        self.set_size(font_size)
        margin = max(10, int(0.06 * size[0]))
        self.left, self.right = margin, size[0] - margin
        self.y, self.bottom = max(10, int(0.04 * size[1])), size[1] - max(10, int(0.04 * size[1]))

    def set_size(self, size: int) -> None:
        self.size = size
        self.font = ImageFont.truetype(str(self.path), size)
        ascent, descent = self.font.getmetrics()
        self.pitch = int((ascent + descent) * 1.08)

    def put(self, text: str, x: float) -> Line:
        """Draws text on the current line. The box spans the letters' usual height."""
        self.draw.text((x, self.y), text, font=self.font, fill=self.ink)
        bounds = self.draw.textbbox((x, self.y), "Hgjpq|", font=self.font)
        return Line(text, (x, bounds[1], x + self.font.getlength(text), bounds[3]))

    def has_room(self) -> bool:
        return self.y + self.pitch <= self.bottom

    def paragraph(
        self, words: Iterator[str], *, max_lines: int, max_chars: int = 10**6
    ) -> list[Line]:
        lines: list[Line] = []
        current = ""
        count = 0
        for word in words:
            longer = f"{current} {word}" if current else word
            if self.font.getlength(longer) <= self.right - self.left:
                current = longer
                continue
            if not current:
                continue
            lines.append(self.put(current, self.left))
            count += len(current) + 1
            self.y += self.pitch
            current = word
            if len(lines) >= max_lines or count >= max_chars or not self.has_room():
                current = ""
                break
        if current and self.has_room() and len(lines) < max_lines:
            lines.append(self.put(current, self.left))
            self.y += self.pitch
        return lines

    def add(self, label: str, lines: list[Line], markdown: Pieces) -> None:
        if lines:
            self.page.blocks.append(
                Block(label, enclosing([line.box for line in lines]), tuple(lines), tuple(markdown))
            )

    def add_text(self, lines: list[Line]) -> None:
        self.add("text", lines, [" ".join(line.text for line in lines)])

    def heading(self, level: int) -> None:
        body = self.size
        self.set_size(int(body * (1.7 if level == 1 else 1.3)))
        words = [self.corpus.word() for _ in range(self.rng.randint(2, 5))]
        words[0] = words[0][:1].upper() + words[0][1:]
        lines = self.paragraph(iter(words), max_lines=2)
        self.add(
            "title" if level == 1 else "sub_title",
            lines,
            ["#" * level + " " + " ".join(x.text for x in lines)],
        )
        self.set_size(body)
        self.y += body // 2

    def table(self, max_rows: int) -> None:
        num_columns = self.rng.randint(2, 5)
        width = (self.right - self.left) / num_columns
        while num_columns > 2 and width < 6 * self.size:
            num_columns -= 1
            width = (self.right - self.left) / num_columns
        is_ruled = self.rng.random() < 0.5
        lines: list[Line] = []
        markdown: Pieces = ["<table>"]
        while len(lines) < max_rows and self.has_room():
            cells = [self.cell(len(lines), width) for _ in range(num_columns)]
            boxes: list[Box] = []
            for index, cell in enumerate(cells):
                x = self.left + (index + 1) * width - 0.4 * self.size - self.font.getlength(cell)
                boxes.append(self.put(cell, x).box)
            lines.append(Line(" ".join(cells), enclosing(boxes)))
            markdown += [
                (TR,),
                *(part for cell in cells for part in ((TD,), cell, (TD_END,))),
                (TR_END,),
            ]
            self.y += self.pitch + 3
            if is_ruled:
                self.draw.line((self.left, self.y - 2, self.right, self.y - 2), fill=self.ink)
        self.add("table", lines, [*markdown, "</table>"])

    def cell(self, row: int, width: float) -> str:
        while True:
            text = self.corpus.number() if row else self.corpus.word()[:8].capitalize()
            if self.font.getlength(text) < width - 0.8 * self.size:
                return text
            if self.size * 4 > width:
                return str(self.rng.randrange(10))

    def bullets(self) -> None:
        lines: list[Line] = []
        for _ in range(self.rng.randint(2, 4)):
            words = islice(self.corpus.stream("sentences"), self.rng.randint(2, 6))
            lines += self.paragraph(iter(["•", *words]), max_lines=1)
        self.add("text", lines, ["\n".join("-" + line.text[1:] for line in lines)])


def make_paragraph(sheet: Sheet) -> None:
    sheet.y += int(sheet.rng.random() * 0.4 * (sheet.bottom - sheet.y))
    sheet.add_text(
        sheet.paragraph(sheet.corpus.stream("sentences"), max_lines=sheet.rng.randint(2, 6))
    )


def make_page(sheet: Sheet) -> None:
    """Paragraphs to the foot of the page."""
    limit = sheet.rng.randint(350, 900) if sheet.page.width <= 640 else sheet.rng.randint(800, 2000)
    while sheet.has_room() and sheet.page.num_chars < limit:
        rest = limit - sheet.page.num_chars
        sheet.add_text(
            sheet.paragraph(
                sheet.corpus.stream("sentences"), max_lines=sheet.rng.randint(3, 9), max_chars=rest
            )
        )
        sheet.y += int(0.6 * sheet.pitch)


def make_table(sheet: Sheet) -> None:
    sheet.table(max_rows=sheet.rng.randint(4, 18))


def make_a4(sheet: Sheet) -> None:
    """A heading and paragraphs, 1,500 to 3,000 characters."""
    target = sheet.rng.randint(1500, 2900)
    sheet.heading(1)
    while sheet.has_room() and sheet.page.num_chars < target:
        limit = target - sheet.page.num_chars
        sheet.add_text(
            sheet.paragraph(
                sheet.corpus.stream("sentences"),
                max_lines=sheet.rng.randint(4, 12),
                max_chars=limit,
            )
        )
        sheet.y += int(0.6 * sheet.pitch)


def make_columns(sheet: Sheet) -> None:
    left, right, gutter = sheet.left, sheet.right, int(0.05 * sheet.page.width)
    sheet.heading(1)
    width, top = (right - left - gutter) // 2, sheet.y
    limit = sheet.rng.randint(600, 900) if sheet.page.width < 1000 else sheet.rng.randint(800, 1400)
    for start in (left, left + width + gutter):
        sheet.left, sheet.right, sheet.y = start, start + width, top
        before = sheet.page.num_chars
        while sheet.has_room() and sheet.page.num_chars - before < limit:
            sheet.add_text(
                sheet.paragraph(
                    sheet.corpus.stream("sentences"), max_lines=sheet.rng.randint(4, 10)
                )
            )
            sheet.y += int(0.6 * sheet.pitch)


def make_mixed(sheet: Sheet) -> None:
    """Headings, a list, a table, a picture and paragraphs: what the markdown prompt is for."""
    sheet.heading(1)
    parts: list[Callable[[], None]] = [
        lambda: sheet.heading(2),
        sheet.bullets,
        lambda: sheet.table(sheet.rng.randint(3, 6)),
        lambda: picture(sheet),
    ]
    sheet.rng.shuffle(parts)
    for part in parts:
        sheet.add_text(
            sheet.paragraph(sheet.corpus.stream("sentences"), max_lines=sheet.rng.randint(2, 4))
        )
        sheet.y += sheet.pitch // 2
        if sheet.has_room():
            part()
            sheet.y += sheet.pitch // 2


def picture(sheet: Sheet) -> None:
    """A gradient with circles on it."""
    width, height = (
        int(0.6 * (sheet.right - sheet.left)),
        min(int(0.12 * sheet.page.height), sheet.bottom - sheet.y),
    )
    if height < 60:
        return
    ramp = np.linspace(40, 210, width, dtype=np.uint8)[None].repeat(height, 0)
    image = Image.fromarray(ramp)
    ImageDraw.Draw(image).ellipse(
        (width // 4, height // 6, width // 2, height - height // 6), fill=90
    )
    sheet.image.paste(image, (sheet.left, sheet.y))
    sheet.page.blocks.append(
        Block("image", (sheet.left, sheet.y, sheet.left + width, sheet.y + height))
    )
    sheet.y += height


def make_hostile(sheet: Sheet) -> None:
    for _ in range(sheet.rng.randint(4, 9)):
        words = islice(sheet.corpus.stream("code"), sheet.rng.randint(2, 5))
        sheet.add_text(sheet.paragraph(words, max_lines=1))


@dataclass(frozen=True)
class Category:
    make: Callable[[Sheet], None]
    page_size: tuple[int, int]
    sizes: tuple[int, int]
    modes: tuple[str, ...]
    languages: tuple[str, ...] = ("en",)
    is_scanned: bool = False


LATIN = ("de", "fr", "es")
SMALL, BASE, LETTER = (640, 640), (1024, 1024), (800, 1000)
CATEGORIES = {
    "paragraph-small": Category(make_paragraph, SMALL, (12, 60), ("small", "tiny")),
    "paragraph-base": Category(make_paragraph, BASE, (12, 60), ("base", "large")),
    "page-small": Category(make_page, SMALL, (13, 30), ("small",)),
    "page-base": Category(make_page, BASE, (14, 40), ("base", "large")),
    "table-small": Category(make_table, SMALL, (12, 32), ("small",)),
    "table-base": Category(make_table, BASE, (12, 48), ("base",)),
    "latin-small": Category(make_paragraph, SMALL, (13, 40), ("small",), LATIN),
    "latin-base": Category(make_page, BASE, (16, 40), ("base",), LATIN),
    "scan-small": Category(make_paragraph, SMALL, (15, 40), ("small",), ("en",), True),
    "scan-base": Category(make_page, BASE, (18, 40), ("base",), ("en",), True),
    "scan-a4": Category(make_a4, A4_AT_150_DPI, (21, 26), ("gundam",), ("en",), True),
    "a4": Category(make_a4, A4_AT_150_DPI, (19, 25), ("gundam", "base")),
    "a4-latin": Category(make_a4, A4_AT_150_DPI, (20, 25), ("gundam",), LATIN),
    "columns-base": Category(make_columns, LETTER, (14, 18), ("base", "gundam")),
    "columns-a4": Category(make_columns, A4_AT_150_DPI, (19, 25), ("gundam",)),
    "mixed-base": Category(make_mixed, LETTER, (15, 22), ("base",)),
    "mixed-a4": Category(make_mixed, A4_AT_150_DPI, (20, 28), ("gundam",)),
    "hostile-small": Category(make_hostile, SMALL, (14, 28), ("small",)),
}


@dataclass(frozen=True)
class FileFormat:
    """How a page is kept on disk. A JPEG's quality is part of the harm."""

    suffix: str = ".png"
    quality: int = 85


def scan(
    image: Image.Image, page: Page, rng: random.Random
) -> tuple[Image.Image, Page, FileFormat]:
    """One of the usual harms: turned, blurred, compressed, noise on coloured paper, one bit per
    pixel."""
    kind = rng.randrange(5)
    paper = image.getpixel((2, 2))
    if kind == 0:
        angle = rng.uniform(-1.5, 1.5)
        turned = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)
        radians = np.deg2rad(-angle)
        matrix = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
        return turned, page.transformed(matrix, np.zeros(2)), FileFormat(".jpg")
    if kind == 1:
        return (
            image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.0))),
            page,
            FileFormat(".jpg"),
        )
    if kind == 2:
        return image, page, FileFormat(".jpg", quality=40)
    pixels = np.asarray(image, np.float32)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(size=pixels.shape)
    if kind == 3:
        colour = np.array(rng.choice(((250, 240, 200), (225, 225, 225), (240, 225, 190)))) / 255
        noisy = np.clip(pixels[..., None] * colour + noise[..., None] * rng.uniform(3, 10), 0, 255)
        return Image.fromarray(noisy.astype(np.uint8)), page, FileFormat(".jpg", quality=70)
    return Image.fromarray(pixels + noise * 4 > 150), page, FileFormat()


def make_page_image(
    name: str, index: int, words: dict[str, list[str]], fonts: Path
) -> tuple[Image.Image, Page, FileFormat, dict[str, Any]]:
    category = CATEGORIES[name]
    rng = random.Random(f"held out {name} {index}")
    corpus = Corpus(words, rng)
    corpus.language = category.languages[index % len(category.languages)]
    font = HELD_OUT_FONTS[index % len(HELD_OUT_FONTS)]
    low, high = category.sizes
    size = round(low * (high / low) ** rng.random())
    sheet = Sheet(category.page_size, font, size, corpus, fonts)
    category.make(sheet)
    facts = {"font": font, "size": size, "language": corpus.language}
    if not category.is_scanned:
        return sheet.image, sheet.page, FileFormat(), facts
    return *scan(sheet.image, sheet.page, rng), facts


def plain(pieces: Pieces) -> str:
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces)


def write_pages(out: Path, assets: Path, *, pages_per_category: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    words = load_words(assets / "words", held_out=True)
    entries = []
    for name, category in CATEGORIES.items():
        for index in range(pages_per_category):
            image, page, file_format, facts = make_page_image(name, index, words, assets / "fonts")
            file_name = f"{name}-{index:02d}{file_format.suffix}"
            image.save(out / file_name, optimize=True, quality=file_format.quality)
            lines, markdown = plain(grounded_lines(page)[1]), plain(grounded_markdown(page)[1])
            entry = HeldOutPage(
                file_name,
                name,
                category.modes,
                **facts,
                text=page.text,
                lines=lines,
                markdown=markdown,
            )
            entries.append(asdict(entry))
    (out / "pages.json").write_text(
        json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=Path(".train/assets"))
    parser.add_argument("--out", type=Path, default=Path(".train/heldout"))
    parser.add_argument("--pages-per-category", type=int, default=12)
    options = parser.parse_args()
    write_pages(options.out, options.assets, pages_per_category=options.pages_per_category)


if __name__ == "__main__":
    main()
