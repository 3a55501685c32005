"""What paper, printer, scanner and file format do to a page, on whole batches on the device.

A page is passed over some forty times, beside the training that wants the same memory: hence half
precision on a GPU, steps in place, and harms of a few pages done to those alone.
"""

import math
import random
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

JPEG_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
JPEG_SHARE, FAX_SHARE, INVERTED_SHARE = 0.25, 0.07, 0.06
BLURRED_EVERY = 10
BLUR_TAPS = {-2: 1 / 16, -1: 4 / 16, 0: 6 / 16, 1: 4 / 16, 2: 1 / 16}


def uniform(low: float, high: float, like: Tensor, *shape: int) -> Tensor:
    """One value per page: (pages, 1, 1, 1), or (pages, *shape)."""
    values = torch.rand(like.shape[0], *(shape or (1, 1, 1)), device=like.device)
    return (values * (high - low) + low).to(like.dtype)


def chosen(share: float, like: Tensor) -> Tensor:
    return torch.rand(like.shape[0], 1, 1, 1, device=like.device) < share


def damage(ink: Tensor, warp: Tensor) -> Tensor:
    """ink: uint8 (pages, height, width), 255 is ink -> brightness (pages, 1, height, width), 0 is
    ink, 1 is paper."""
    x = ink[:, None].float()
    grid = warp_grid(warp, *x.shape[-2:])
    x = functional.grid_sample(x, grid, mode="bilinear", align_corners=False)
    x = x.to(working_type(ink.device)).mul_(1 / 255).clamp_(1e-6, 1)
    x = blur(x.pow_(uniform(0.65, 1.5, x)))
    y = x.mul_(-uniform(0.7, 1.0, x)).add_(1)
    for slope in shading(y):
        y += slope
    y.addcmul_(torch.randn_like(y), uniform(-0.04, 0.07, y).clamp(min=0)).clamp_(0, 1)
    return threshold(compress(y))


def working_type(device: torch.device) -> torch.dtype:
    """Half precision is four times finer than 1/255 near white."""
    return torch.float16 if device.type == "cuda" else torch.float32


def warp_grid(warp: Tensor, height: int, width: int) -> Tensor:
    """As `affine_grid` without aligned corners, at a quarter of its time:
    (pages, height, width, 2)."""
    y, x = (
        (2 * torch.arange(side, device=warp.device, dtype=warp.dtype) + 1) / side - 1
        for side in (height, width)
    )
    across, down, shift = warp[:, None, None].unbind(-1)
    return across * x[:, None] + (down * y[:, None, None] + shift)


def blur(x: Tensor) -> Tensor:
    """Between a slight sharpening and, on some pages, a blur of more than a pixel."""
    # As products with banded matrices: convolutions of one channel take four times as long.
    down, across = (blur_matrix(side, x.device).to(x.dtype) for side in x.shape[-2:])

    def smooth(image: Tensor) -> Tensor:
        return down @ image @ across

    once = smooth(x)
    x = torch.lerp(x, once, uniform(-1.2, 1.0, x).clamp(min=-0.25))
    blurred = slice(random.randrange(BLURRED_EVERY), None, BLURRED_EVERY)
    x[blurred] = smooth(once[blurred])
    return x.clamp_(0, 1)


def blur_matrix(side: int, device: torch.device) -> Tensor:
    ones = torch.ones(side, device=device)
    diagonals = (weight * ones[abs(k) :].diag(k) for k, weight in BLUR_TAPS.items())
    return torch.stack(list(diagonals)).sum(0)


def shading(x: Tensor) -> tuple[Tensor, Tensor]:
    """Light that falls from a side: what to add to each row, and what to each column."""
    height, width = x.shape[-2:]
    rows = torch.linspace(-1, 1, height, device=x.device).view(1, 1, height, 1)
    columns = torch.linspace(-1, 1, width, device=x.device).view(1, 1, 1, width)
    is_shaded = chosen(0.4, x)
    return (
        uniform(-0.09, 0.09, x) * rows.to(x.dtype) * is_shaded,
        uniform(-0.09, 0.09, x) * columns.to(x.dtype) * is_shaded,
    )


def compress(y: Tensor) -> Tensor:
    """JPEG's loss on some pages: 8 x 8 cosine transform, quantised at a quality of 25 to 90."""
    num_pages = math.ceil(JPEG_SHARE * y.shape[0])
    height, width = (side // 8 * 8 for side in y.shape[-2:])
    cosines = cosine_matrix(y.device).to(y.dtype)
    transform = torch.kron(cosines, cosines)  # (64, 64): both directions at once
    blocks = y[:num_pages, 0, :height, :width].reshape(num_pages, height // 8, 8, width // 8, 8)
    blocks = blocks.transpose(2, 3).reshape(num_pages, -1, 64) - 0.5
    quality = uniform(25, 90, blocks, 1, 1)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    steps = (luminance_table(y.device).to(y.dtype) * scale).clamp(min=1) / 255
    coefficients = torch.round(blocks @ transform.T / steps) * steps
    blocks = (coefficients @ transform + 0.5).view(num_pages, height // 8, width // 8, 8, 8)
    blocks = blocks.clamp_(0, 1).transpose(2, 3).reshape(num_pages, height, width)
    y[:num_pages, 0, :height, :width] = blocks
    return y


@lru_cache
def luminance_table(device: torch.device) -> Tensor:
    """Copied once: each copy waits for all that the device was told to do before."""
    return torch.tensor(JPEG_LUMINANCE, device=device, dtype=torch.float32)


def cosine_matrix(device: torch.device) -> Tensor:
    """The orthonormal 8-point DCT-II."""
    index = torch.arange(8, device=device, dtype=torch.float32)
    matrix = torch.cos(math.pi / 8 * (index[None] + 0.5) * index[:, None]) * 0.5
    matrix[0] *= 0.5**0.5
    return matrix


def threshold(y: Tensor) -> Tensor:
    """One bit per pixel on some pages, as fax machines and old scanners send them."""
    num_pages = int(FAX_SHARE * y.shape[0] + random.random())
    if num_pages:
        faxed = y[-num_pages:]
        faxed[:] = (faxed > uniform(0.42, 0.68, faxed)).to(y.dtype)
    return y


def draw_colours(y: Tensor) -> tuple[Tensor, Tensor]:
    """Ink and paper of each page, (pages, 3, 1, 1) each."""
    ink = uniform(0, 0.4, y, 3, 1, 1) * 0.3 + uniform(0, 0.4, y) * 0.7
    ink = torch.where(chosen(0.4, y), torch.zeros_like(ink), ink)
    tint = uniform(0, 0.15, y, 3, 1, 1) * chosen(0.4, y)
    paper = (uniform(0.8, 1.08, y) - tint).clamp(0, 1)
    inverted = chosen(INVERTED_SHARE, y)
    return torch.where(inverted, paper, ink), torch.where(inverted, ink, paper)
