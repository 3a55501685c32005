"""The views of a batch of pages, made on the device as preprocessing makes them when serving."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, Resolution
from folio.preprocessing.tiling import CropGrid
from folio.preprocessing.transforms import PADDING_VALUE, normalise
from training.damage import damage, draw_colours


@dataclass(frozen=True)
class Views:
    """Normalised pixels (views, 3, side, side); labels of the global view (pages, side/8, side/4),
    0 is blank."""

    global_views: Tensor
    local_views: Tensor | None
    labels: Tensor


def make_training_views(
    ink: Tensor, labels: Tensor, warp: Tensor, resolution: Resolution, dtype: torch.dtype
) -> Views:
    """ink: uint8 (pages, height, width); labels: uint8 (pages, height // 8, width // 4)."""
    brightness = damage(ink, warp)
    ink_colour, paper_colour = draw_colours(brightness)

    def colour(grey: Tensor) -> Tensor:
        pixels = torch.addcmul(ink_colour * 255, grey, (paper_colour - ink_colour) * 255)
        return pixels.clamp_(0, 255).round_().to(torch.uint8)

    size, grid = resolution.base_size, resolution.crop_grid
    height, width = brightness.shape[-2:]
    inner = contain(width, height, size) if resolution.keep_aspect else (size, size)
    view = pad(colour(resize(brightness, *inner)), size)
    local = cut(
        colour(resize(brightness, grid.columns * LOCAL_VIEW_SIZE, grid.rows * LOCAL_VIEW_SIZE)),
        grid,
    )
    map_labels = warp_labels(labels, warp, inner, size)
    local = normalise(local, dtype) if local is not None else None
    return Views(normalise(view, dtype), local, map_labels)


def resize(image: Tensor, width: int, height: int) -> Tensor:
    if width == 0 or (height, width) == image.shape[-2:]:
        return image
    # As products with matrices: torch's own kernel computes the weights anew at every pixel.
    down, across = (
        resize_matrix(side, target, image.device).to(image.dtype)
        for side, target in zip(image.shape[-2:], (height, width), strict=True)
    )
    return down @ image @ across.mT


def resize_matrix(side: int, target: int, device: torch.device) -> Tensor:
    """Bicubic with antialiasing along one side: (target, side)."""
    eye = torch.eye(side, device=device)[None, None]
    return functional.interpolate(eye, (target, side), mode="bicubic", antialias=True)[0, 0]


def contain(width: int, height: int, size: int) -> tuple[int, int]:
    """The largest size of the same aspect within a square, as Pillow's ImageOps rounds it."""
    if width > height:
        return size, round(height / width * size)
    return round(width / height * size), size


def margins(inner: tuple[int, int], size: int) -> tuple[int, int]:
    """Left and top of the page in the square."""
    return round((size - inner[0]) * 0.5), round((size - inner[1]) * 0.5)


def pad(pixels: Tensor, size: int) -> Tensor:
    height, width = pixels.shape[-2:]
    left, top = margins((width, height), size)
    sides = (left, size - width - left, top, size - height - top)
    return functional.pad(pixels, sides, value=PADDING_VALUE)


def cut(sheet: Tensor, grid: CropGrid) -> Tensor | None:
    """(pages, 3, rows * 640, columns * 640) -> (pages * views, 3, 640, 640), row by row."""
    if not grid.num_views:
        return None
    size = LOCAL_VIEW_SIZE
    pieces = sheet.view(-1, 3, grid.rows, size, grid.columns, size)
    return pieces.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, size, size)


def warp_labels(labels: Tensor, warp: Tensor, inner: tuple[int, int], size: int) -> Tensor:
    """The character map at each 4 x 8 pixels of the view."""
    left, top = margins(inner, size)
    rows = torch.arange(size // 8, device=labels.device) * 8 + 4.0
    columns = torch.arange(size // 4, device=labels.device) * 4 + 2.0
    y = (rows - top) / inner[1] * 2 - 1
    x = (columns - left) / inner[0] * 2 - 1
    points = torch.stack(
        [*torch.meshgrid(y, x, indexing="ij"), torch.ones(len(y), len(x), device=x.device)]
    )
    points = points[[1, 0, 2]].flatten(1)
    grid = (warp @ points).transpose(1, 2).view(len(labels), len(y), len(x), 2)
    sampled = functional.grid_sample(
        labels[:, None].float(), grid, mode="nearest", align_corners=False
    )
    return sampled[:, 0].long()
