"""Views made by the GPU's kernels are those that plain torch and Pillow make."""

import numpy as np
import pytest
import torch

from folio.model.resampling import make_device_views
from folio.preprocessing.resolution import Mode, resolve

pytestmark = pytest.mark.gpu

SCANS = [(1240, 1754), (2480, 3508)]
SIZES = [*SCANS, (700, 1280), (641, 640), (300, 200), (1, 1), (1, 300), (90, 4000)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", Mode)
def test_kernels_make_the_views_of_plain_torch(mode, size):
    width, height = size
    rng = np.random.default_rng(width)
    pages = torch.from_numpy(rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8))
    resolution = resolve(mode, *size)
    expected = make_device_views(pages, resolution)
    views = make_device_views(pages.cuda(), resolution)
    for ours, same in zip(views, expected, strict=True):
        assert torch.equal(ours.cpu(), same)
