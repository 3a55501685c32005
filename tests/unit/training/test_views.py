import random

import numpy as np
import pytest
import torch

from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import make_views
from training import damage
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
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()

    size, grid = resolution.base_size, resolution.crop_grid
    inner = contain(width, height, size) if resolution.keep_aspect else (size, size)
    global_view = pad(resize(pixels, *inner), size)
    local_views = cut(resize(pixels, grid.columns * 640, grid.rows * 640), grid)

    def differ(ours: torch.Tensor, theirs: torch.Tensor) -> float:
        return (ours - theirs.float()).abs().max().item()

    assert differ(global_view[0], served.global_view) < 3.8
    if local_views is not None:
        assert differ(local_views, served.local_views) < 3.8


def test_half_precision_shows_the_same_page(monkeypatch: pytest.MonkeyPatch) -> None:
    ink = torch.from_numpy(smooth_page(240, 160)[None, :, :, 0].copy())
    warp = torch.tensor([[[1.0, 0.01, 0.0], [-0.01, 1.0, 0.0]]])
    pages = []
    for dtype in (torch.float32, torch.float16):
        monkeypatch.setattr(damage, "working_type", lambda _, dtype=dtype: dtype)
        torch.manual_seed(0)
        random.seed(0)
        monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
        pages.append(damage.damage(ink, warp).float())
    assert (pages[0] - pages[1]).abs().max() < 0.02
