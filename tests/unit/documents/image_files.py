"""A picture as files of every kind, and how its colours are told from what was decoded."""

import io

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# Big areas of clear colours, so that a lossy file still tells them: red top left, blue right.
WIDTH, HEIGHT = 64, 40
RED, BLUE, WHITE = (220, 20, 20), (20, 20, 220), (255, 255, 255)
CORNERS = {"top left": RED, "top right": BLUE, "bottom left": WHITE, "bottom right": WHITE}


def picture() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
    image.paste(RED, (0, 0, WIDTH // 2, HEIGHT // 2))
    image.paste(BLUE, (WIDTH // 2, 0, WIDTH, HEIGHT // 2))
    return image


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    if file_format == "HEIF":
        pillow_heif.from_pillow(image).save(file, **options)
    else:
        image.save(file, file_format, **options)  # type: ignore[arg-type]
    return file.getvalue()


def corners(pixels: Pixels) -> dict[str, tuple[int, int, int]]:
    """The colour in the middle of each quarter, rounded to the picture's colours."""
    height, width = pixels.shape[:2]
    found = {}
    for vertical, y in (("top", height // 4), ("bottom", 3 * height // 4)):
        for horizontal, x in (("left", width // 4), ("right", 3 * width // 4)):
            color = pixels[y, x].astype(int)
            nearest = min((RED, BLUE, WHITE), key=lambda known: np.abs(known - color).sum())
            assert np.abs(nearest - color).max() < 40, f"{color} is none of the picture's colours"
            found[f"{vertical} {horizontal}"] = nearest
    return found
