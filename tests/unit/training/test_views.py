import numpy as np
import pytest
import torch

from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import make_views, normalise
from training.views import contain, cut, pad, resize


def smooth_page(width: int, height: int) -> np.ndarray:
    x, y = np.linspace(0, 9, width)[None], np.linspace(0, 7, height)[:, None]
    return (127 + 100 * np.sin(x + y)).astype(np.uint8)[..., None].repeat(3, 2)


@pytest.mark.parametrize(
    ("mode", "width", "height"),
    [("small", 500, 700), ("base", 700, 991), ("base", 801, 333), ("gundam", 900, 1300)],
)
def test_training_sees_what_serving_sees(mode: str, width: int, height: int) -> None:
    image = smooth_page(width, height)
    resolution = resolve(Mode(mode), width, height)
    served = make_views(image, resolution)
    pixels = normalise(torch.from_numpy(image).permute(2, 0, 1)[None], torch.float32)

    size, grid = resolution.base_size, resolution.crop_grid
    inner = contain(width, height, size) if resolution.keep_aspect else (size, size)
    global_view = pad(resize(pixels, *inner), size)
    local_views = cut(resize(pixels, grid.columns * 640, grid.rows * 640), grid)

    def differ(ours: torch.Tensor, theirs: torch.Tensor) -> float:
        return (ours - normalise(theirs, torch.float32)).abs().max().item()

    assert differ(global_view[0], served.global_view) < 0.03
    if local_views is not None:
        assert differ(local_views, served.local_views) < 0.03
