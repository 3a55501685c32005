"""A page of ink that glyphs, rules and pictures are drawn on, with its character map."""

import ctypes
import random
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from training.atlas import Atlas, Face
from training.pictures import make_picture

SOURCE = Path(__file__).with_name("blit.c")


@lru_cache
def load_blitter() -> ctypes.CDLL:
    """Compiles blit.c, once per process and its forks."""
    with TemporaryDirectory() as directory:
        target = Path(directory) / "blit.so"
        subprocess.run(["gcc", "-O3", "-shared", "-fPIC", "-o", target, SOURCE], check=True)
        library = ctypes.CDLL(str(target))
    pointer, integer, real = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    library.blit_line.restype = real
    library.blit_line.argtypes = [
        pointer, integer, integer, pointer, ctypes.c_char_p, integer, real, integer, real, real,
        integer, integer, pointer, pointer, pointer, pointer, integer, integer,
    ]  # fmt: skip
    return library


class Canvas:
    """ink: uint8 (height, width), 0 is paper. labels: uint8 (height // 8, width // 4), classes of
    charset."""

    def __init__(self, atlas: Atlas, ink: np.ndarray, labels: np.ndarray) -> None:
        self.ink, self.labels = ink, labels
        self.height, self.width = ink.shape
        self._blit = load_blitter().blit_line
        arrays = (atlas.glyphs, atlas.offsets, atlas.boxes, atlas.advances)
        self._page = (ink.ctypes.data, self.width, self.height, labels.ctypes.data)
        self._atlas = (atlas.advances.shape[1], *(array.ctypes.data for array in arrays))
        self._keep_alive = atlas

    def text(
        self,
        face: Face,
        classes: bytes,
        x: float,
        baseline: int,
        *,
        tracking: float = 0.0,
        word_space: float = 0.0,
    ) -> float:
        """Draws one line; returns the x where it ends. word_space is added to every blank."""
        return float(
            self._blit(
                *self._page, classes, len(classes), x, baseline, tracking, word_space,
                face.index, *self._atlas, face.ascent, face.descent,
            )
        )  # fmt: skip

    def rule(self, x0: float, y0: float, x1: float, y1: float, ink: int) -> None:
        region = self.ink[max(0, int(y0)) : int(y1), max(0, int(x0)) : int(x1)]
        np.maximum(region, ink, out=region)

    def invert(self, x0: float, y0: float, x1: float, y1: float) -> None:
        region = self.ink[max(0, int(y0)) : int(y1), max(0, int(x0)) : int(x1)]
        np.subtract(255, region, out=region)

    def erase(self, y0: int, y1: int, x0: int, x1: int) -> None:
        self.ink[max(0, y0) : y1, max(0, x0) : x1] = 0
        self.labels[max(0, y0) // 8 : -(-y1 // 8), max(0, x0) // 4 : -(-x1 // 4)] = 0

    def picture(self, x0: int, y0: int, x1: int, y1: int, rng: random.Random) -> None:
        self.ink[y0:y1, x0:x1] = make_picture(y1 - y0, x1 - x0, rng)
