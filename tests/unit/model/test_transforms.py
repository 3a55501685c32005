"""The views of a page, and that making them needs neither locks nor luck."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from folio.preprocessing.resolution import Mode, Resolution, resolve
from folio.preprocessing.tiling import CropGrid
from folio.preprocessing.transforms import PADDING_VALUE, make_views, normalise


def random_page(width, height):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain_page(width, height, value=200):
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ("mode", "side"),
    [(Mode.TINY, 512), (Mode.SMALL, 640), (Mode.BASE, 1024), (Mode.LARGE, 1280)],
)
def test_square_modes_have_one_view(mode, side):
    views = make_views(random_page(300, 500), resolve(mode, 300, 500))
    assert views.global_view.shape == (3, side, side)
    assert views.global_view.dtype == torch.uint8
    assert views.global_view.is_contiguous()
    assert views.local_views.shape == (0, 3, 640, 640)


def test_tiny_and_small_stretch_the_page():
    view = make_views(plain_page(100, 900), resolve(Mode.TINY, 100, 900)).global_view
    assert (view == 200).all()


def test_base_and_large_centre_the_page_on_grey():
    view = make_views(plain_page(512, 1024), resolve(Mode.BASE, 512, 1024)).global_view
    assert (view[:, :, :256] == PADDING_VALUE).all()
    assert (view[:, :, 256:768] == 200).all()
    assert (view[:, :, 768:] == PADDING_VALUE).all()


def test_a_page_of_the_views_size_is_not_resampled():
    page = random_page(1280, 1920)
    resolution = Resolution(1024, keep_aspect=True, crop_grid=CropGrid(2, 3))
    views = make_views(page, resolution).local_views
    rows_of_views = [page[top : top + 640] for top in (0, 640, 1280)]
    expected = [row[:, left : left + 640] for row in rows_of_views for left in (0, 640)]
    assert views.shape == (6, 3, 640, 640)
    for view, cut in zip(views, expected, strict=True):
        assert torch.equal(view, torch.from_numpy(cut).permute(2, 0, 1))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (8000, 3), (2, 641)])
@pytest.mark.parametrize("mode", Mode)
def test_pages_of_odd_shapes_have_views(mode, size):
    resolution = resolve(mode, *size)
    views = make_views(plain_page(*size), resolution)
    assert views.global_view.shape == (3, resolution.base_size, resolution.base_size)
    assert len(views.local_views) == resolution.crop_grid.num_views


def test_the_page_is_left_as_it_was():
    page = random_page(700, 1280)
    before = page.copy()
    page.flags.writeable = False
    make_views(page, resolve(Mode.GUNDAM, 700, 1280))
    assert np.array_equal(page, before)


def test_threads_get_the_same_views():
    page = random_page(700, 1280)
    resolution = resolve(Mode.GUNDAM, 700, 1280)
    expected = make_views(page, resolution)
    with ThreadPoolExecutor(4) as pool:
        for views in pool.map(lambda _: make_views(page, resolution), range(8)):
            assert torch.equal(views.global_view, expected.global_view)
            assert torch.equal(views.local_views, expected.local_views)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pixels_are_normalised_to_minus_one_and_one(dtype):
    pixels = torch.tensor([0, 255], dtype=torch.uint8)
    assert normalise(pixels, dtype).tolist() == [-1, 1]
    assert normalise(pixels, dtype).dtype == dtype
    assert pixels.tolist() == [0, 255]
