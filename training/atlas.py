"""Every character of every training font in every size, rendered once."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageFont

from training.charset import CHARACTERS, NUM_CHARACTERS
from training.splits import is_held_out_font

SIZES = (10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 26, 28, 31, 34, 38, 42, 48, 56, 64)


@dataclass(frozen=True)
class Face:
    """One font in one size. ascent and descent bound the ink; line_height is the font's own."""

    index: int
    font: str
    size: int
    ascent: int
    descent: int
    line_height: int
    advances: list[float]

    def text_width(self, classes: bytes, tracking: float = 0.0) -> float:
        return sum(map(self.advances.__getitem__, classes)) + tracking * len(classes)


@dataclass(frozen=True)
class Atlas:
    """glyphs: uint8, all bitmaps end to end; boxes: int16 (faces * characters, 4), the width,
    height, left and top of each; metrics: ascent, descent and line height of each face."""

    names: list[str]
    glyphs: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    advances: np.ndarray
    metrics: np.ndarray

    def face(self, font_index: int, size_index: int) -> Face:
        index = font_index * len(SIZES) + size_index
        ascent, descent, line_height = (int(value) for value in self.metrics[index])
        return Face(
            index,
            self.names[font_index],
            SIZES[size_index],
            ascent,
            descent,
            line_height,
            self.advances[index].tolist(),
        )


def training_fonts(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not is_held_out_font(path.stem))


def load_atlas(fonts: list[Path], cache: Path) -> Atlas:
    """Builds the atlas, or reads it if the same fonts were built before."""
    key = hashlib.sha256(
        repr([(path.name, path.stat().st_size) for path in fonts] + [SIZES, CHARACTERS]).encode()
    )
    path = cache / f"atlas-{key.hexdigest()[:12]}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(partial, **build_arrays(fonts))
        partial.rename(path)
    with np.load(path) as arrays:
        return Atlas([font.stem for font in fonts], *(arrays[name] for name in ARRAYS))


ARRAYS = ("glyphs", "offsets", "boxes", "advances", "metrics")


def build_arrays(fonts: list[Path]) -> dict[str, np.ndarray]:
    with ProcessPoolExecutor() as pool:
        parts = list(pool.map(render_font, fonts))
    sizes = np.concatenate([part[0] for part in parts])
    ends = np.cumsum(sizes, dtype=np.int64)
    return {
        "glyphs": np.concatenate([part[1] for part in parts]),
        "offsets": ends - sizes,
        "boxes": np.concatenate([part[2] for part in parts]),
        "advances": np.concatenate([part[3] for part in parts]).reshape(-1, NUM_CHARACTERS),
        "metrics": np.concatenate([part[4] for part in parts]),
    }


def render_font(path: Path) -> tuple[np.ndarray, ...]:
    """Bitmap sizes, bitmaps, boxes, advances and face metrics of one font in all sizes."""
    bitmaps, boxes, advances, metrics = [], [], [], []
    for size in SIZES:
        font = ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
        bounds = font.getbbox("Hgjpq|", anchor="ls")
        metrics.append(
            (max(1, round(-bounds[1])), max(1, round(bounds[3])), sum(font.getmetrics()))
        )
        for character in CHARACTERS:
            mask, (left, top) = font.getmask2(character, "L", anchor="ls")
            width, height = mask.size
            bitmaps.append(
                np.array(mask, dtype=np.uint8).ravel() if width * height else np.zeros(0, np.uint8)
            )
            boxes.append((width, height, left, top))
            advances.append(font.getlength(character))
    return (
        np.array([bitmap.size for bitmap in bitmaps], np.int64),
        np.concatenate(bitmaps),
        np.array(boxes, np.int16),
        np.array(advances, np.float32),
        np.array(metrics, np.int32),
    )
