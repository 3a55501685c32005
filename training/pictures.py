"""Pictures that stand on a page among its text: no letters, but all else that is no paper."""

import random
from collections.abc import Callable

import numpy as np

MAX_SHAPES = 7
LIGHTEST = 30


class Ground:
    """A rectangle in coordinates from -1 to 1: `down` is (height, 1), `across` (1, width)."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = height, width
        self.down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        self.across = np.linspace(-1, 1, width, dtype=np.float32)[None]


def gradient(ground: Ground, rng: random.Random) -> np.ndarray:
    return ground.down * rng.uniform(-1, 1) + ground.across * rng.uniform(-1, 1)


def stripes(ground: Ground, rng: random.Random) -> np.ndarray:
    frequency = rng.uniform(2, 12)
    slope = ground.down * rng.uniform(-2, 2) + ground.across * rng.uniform(-2, 2)
    return np.sin(frequency * slope)


def noise(ground: Ground, rng: random.Random) -> np.ndarray:
    height, width = ground.shape
    cell = rng.choice((8, 16, 32))
    cells = np.random.default_rng(rng.getrandbits(32)).normal(
        size=(height // cell + 1, width // cell + 1)
    )
    return np.kron(cells, np.ones((cell, cell)))[:height, :width] * 0.6


def rings(ground: Ground, rng: random.Random) -> np.ndarray:
    frequency = rng.uniform(4, 24)
    return np.sin(
        frequency * np.hypot(ground.down - rng.uniform(-1, 1), ground.across - rng.uniform(-1, 1))
    )


def curve(ground: Ground, rng: random.Random) -> np.ndarray:
    frequency, height = rng.uniform(2, 12), rng.uniform(0.2, 0.8)
    line = np.sin(ground.across * frequency + rng.uniform(0, 6)) * height
    return np.where(np.abs(ground.down - line) < 0.04, 1.0, -0.9)


def bars(ground: Ground, rng: random.Random) -> np.ndarray:
    """A chart: bars of one width that stand on the lower edge."""
    count = rng.randint(3, 12)
    heights = np.array([rng.uniform(0.1, 1.8) for _ in range(count)])
    place = (ground.across + 1) * 0.499 * count
    is_bar = (place % 1 < rng.uniform(0.4, 0.9)) & (1 - ground.down < heights[place.astype(int)])
    return np.where(is_bar, rng.uniform(0.2, 1.0), -0.9)


def shapes(ground: Ground, rng: random.Random) -> np.ndarray:
    """Discs and boxes of even tone, one over the other."""
    values = np.broadcast_to(gradient(ground, rng), ground.shape).copy()
    for _ in range(rng.randint(1, MAX_SHAPES)):
        down, across = (
            (axis - rng.uniform(-1, 1)) / rng.uniform(0.1, 0.7)
            for axis in (ground.down, ground.across)
        )
        distance = (
            np.hypot(down, across)
            if rng.random() < 0.6
            else np.maximum(np.abs(down), np.abs(across))
        )
        values[distance < 1] = rng.uniform(-1, 1)
    return values


KINDS: tuple[Callable[[Ground, random.Random], np.ndarray], ...] = (
    gradient, stripes, noise, rings, curve, bars, shapes, shapes,
)  # fmt: skip


def make_picture(height: int, width: int, rng: random.Random) -> np.ndarray:
    """Ink of one picture, 0 to 255: float (height, width). None of it is as light as paper: where
    a picture fades away, its box cannot be told."""
    values = rng.choice(KINDS)(Ground(height, width), rng)
    level, contrast = rng.uniform(60, 190), rng.uniform(40, 120)
    ink = np.clip(level + contrast * np.broadcast_to(values, (height, width)), LIGHTEST, 255)
    if rng.random() < 0.3:
        ink[[0, -1], :] = ink[:, [0, -1]] = 200  # a frame
    return ink
