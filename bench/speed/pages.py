"""A4 pages at 150 dpi, full of words, as files."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (1240, 1754)
NUM_PAGES = 32
_WORDS = ["the", "year", "of", "people", "and", "their", "way", "from", "day", "to", "night"]
_LINE_PIXELS = 34
_MARGIN = 90


def write_pages(folder: Path, file_format: str) -> list[Path]:
    folder.mkdir(parents=True)
    paths = []
    for number in range(NUM_PAGES):
        path = folder / f"{number}.{file_format}"
        draw_page(number).save(path, quality=85)
        paths.append(path)
    return paths


def draw_page(seed: int) -> Image.Image:
    """Print, and the slight noise of a scan, so that files are as large as scans are."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", SIZE, (250, 249, 246))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(22)
    for top in range(_MARGIN, SIZE[1] - _MARGIN, _LINE_PIXELS):
        draw.text((_MARGIN, top), " ".join(rng.choice(_WORDS, 16)), fill=(30, 30, 34), font=font)
    noise = rng.integers(-3, 4, (SIZE[1], SIZE[0], 1), dtype=np.int16)
    return Image.fromarray(np.clip(np.asarray(page) + noise, 0, 255).astype(np.uint8))
