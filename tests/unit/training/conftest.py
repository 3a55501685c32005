"""Pages without fonts: every character is a filled box, so that no font has to be installed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from training.atlas import SIZES, Atlas
from training.charset import NUM_CHARACTERS
from training.vocabulary import PageTokenizer

NANO = Path(__file__).parents[3] / "models" / "nano"
WORDS = {
    "en": ["harbour", "stone", "Walkman", "gently"],
    "de": ["Straße", "größer", "Übung", "Haus"],
    "fr": ["été", "garçon", "où", "maison"],
    "es": ["niño", "canción", "corazón", "casa"],
}


@pytest.fixture(scope="session")
def box_atlas() -> Atlas:
    """One font in all sizes; a character is half as wide as it is high."""
    if shutil.which("gcc") is None:
        pytest.skip("the page generator compiles blit.c with gcc")
    widths = [size // 2 for size in SIZES]
    heights = [int(size * 0.7) for size in SIZES]
    boxes = [(width - 1, height, 0, -height) for width, height in zip(widths, heights, strict=True)]
    areas = [(width - 1) * height for width, height in zip(widths, heights, strict=True)]
    return Atlas(
        names=["boxes"],
        glyphs=np.full(max(areas), 255, np.uint8),
        offsets=np.zeros(len(SIZES) * NUM_CHARACTERS, np.int64),
        boxes=np.repeat(np.array(boxes, np.int16), NUM_CHARACTERS, axis=0),
        advances=np.repeat(np.array(widths, np.float32)[:, None], NUM_CHARACTERS, axis=1),
        metrics=np.array(
            [(h, s // 4, s + 4) for h, s in zip(heights, SIZES, strict=True)], np.int32
        ),
    )


@pytest.fixture(scope="session")
def tokenizer() -> PageTokenizer:
    return PageTokenizer(NANO / "tokenizer.json")
