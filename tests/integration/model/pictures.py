"""Pictures for random weights: structure at the scale of patches, unlike noise."""

import numpy as np
from PIL import Image


def random_picture(width, height):
    rng = np.random.default_rng(width)
    blocks = rng.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)


def write_pictures(folder, sizes):
    """PNG files of these sizes -> their paths."""
    paths = [folder / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        random_picture(*size).save(path)
    return [str(path) for path in paths]
