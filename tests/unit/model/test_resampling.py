"""Views made where the model runs are those of Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from folio.model.resampling import Sheet, make_device_views, resample
from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import make_views

SIZES = [(300, 200), (700, 1280), (641, 640), (123, 77), (1, 1), (1, 300), (1240, 1754), (900, 33)]
ONE_AXIS = [(40, 100), (100, 40), (7, 640), (640, 7), (1, 50), (333, 334), (5000, 64), (64, 64)]


def random_page(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_pillow(page, width, height):
    resized = Image.fromarray(page).resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def resized(page, width, height):
    """Through a square that it does not fill."""
    sheet = Sheet(width, height, max(width, height))
    (view,) = resample(torch.from_numpy(page)[None], sheet)
    return view[:, sheet.top : sheet.top + height, sheet.left : sheet.left + width]


@pytest.mark.parametrize(("size", "new_size"), ONE_AXIS)
def test_a_resized_line_is_pillows_to_the_byte(size, new_size):
    wide, tall = random_page(size, 16), random_page(16, size)
    assert torch.equal(resized(wide, new_size, 16), by_pillow(wide, new_size, 16))
    assert torch.equal(resized(tall, 16, new_size), by_pillow(tall, 16, new_size))


@pytest.mark.parametrize("seed", range(30))
def test_pages_up_and_down_in_size_are_pillows_but_for_a_level(seed):
    """Pillow resizes the columns first where it saves time, which moves some pixels by levels."""
    rng = np.random.default_rng(seed)
    width, height, new_width, new_height = rng.integers(1, 500, 4).tolist()
    page = random_page(width, height, seed)
    difference = resized(page, new_width, new_height).int()
    difference -= by_pillow(page, new_width, new_height).int()
    assert difference.abs().float().mean() < 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", Mode)
def test_views_are_those_made_on_the_host(mode, size):
    resolution = resolve(mode, *size)
    pages = [random_page(*size, seed) for seed in range(2)]
    whole, local = make_device_views(torch.from_numpy(np.stack(pages)), resolution)
    assert len(local) == 2 * resolution.crop_grid.num_views
    for page, global_view, local_views in zip(pages, whole, local.tensor_split(2), strict=True):
        expected = make_views(page, resolution)
        for view, same in (
            (global_view, expected.global_view),
            (local_views, expected.local_views),
        ):
            assert view.shape == same.shape
            assert not view.numel() or (view.int() - same.int()).abs().float().mean() < 1


def test_a_page_too_thin_for_the_square_still_shows():
    page = np.zeros((3, 8000, 3), dtype=np.uint8)
    (view,), _ = make_device_views(torch.from_numpy(page)[None], resolve(Mode.BASE, 8000, 3))
    assert (view == 0).any()
