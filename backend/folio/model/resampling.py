"""Pages -> views where the model runs: resized, cut and padded as Pillow would, without Pillow.

On CUDA two Triton kernels do it, one for each direction; elsewhere plain torch does the same. Both
sum up the integers of `preprocessing.resampling`, so the views are those of Pillow, byte for byte
(but where Pillow resizes the columns first: some levels in some pixels). Nothing here waits for the
device.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from folio.model.transfer import upload
from folio.preprocessing.resampling import PRECISION_BITS, bicubic_taps, fit_into_square
from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, Resolution
from folio.preprocessing.transforms import PADDING_VALUE

_NUM_CACHED_TAPS = 256
_HALF = 1 << (PRECISION_BITS - 1)


@dataclass(frozen=True, eq=False)
class DeviceTaps:
    """`preprocessing.resampling.Taps` on a device."""

    first: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Sheet:
    """Where a resized page lies on a grid of square views: its size, and what is above and left."""

    width: int
    height: int
    view_size: int
    columns: int = 1
    rows: int = 1

    @property
    def left(self) -> int:
        return round((self.columns * self.view_size - self.width) / 2)

    @property
    def top(self) -> int:
        return round((self.rows * self.view_size - self.height) / 2)

    @property
    def is_full(self) -> bool:
        sides = self.columns * self.view_size, self.rows * self.view_size
        return (self.width, self.height) == sides


def make_device_views(pages: Tensor, resolution: Resolution) -> tuple[Tensor, Tensor]:
    """Show pages of one size at one resolution. pages: uint8 (pages, height, width, 3).

    -> uint8 global views (pages, 3, base_size, base_size) and local views, page by page and row by
    row (pages * num_views, 3, 640, 640). `transforms.make_views` makes the same on the host.
    """
    size, grid = resolution.base_size, resolution.crop_grid
    width, height = size, size
    if resolution.keep_aspect:
        width, height = fit_into_square(pages.shape[2], pages.shape[1], size)
    global_views = resample(pages, Sheet(width, height, size))
    if not grid.num_views:
        return global_views, pages.new_empty((0, 3, LOCAL_VIEW_SIZE, LOCAL_VIEW_SIZE))
    width, height = grid.columns * LOCAL_VIEW_SIZE, grid.rows * LOCAL_VIEW_SIZE
    sheet = Sheet(width, height, LOCAL_VIEW_SIZE, grid.columns, grid.rows)
    return global_views, resample(pages, sheet)


def resample(pages: Tensor, sheet: Sheet) -> Tensor:
    """uint8 (pages, height, width, 3) -> (pages * rows * columns, 3, view_size, view_size)."""
    _, height, width, _ = pages.shape
    along_rows = device_taps(width, sheet.width, pages.device)
    along_columns = device_taps(height, sheet.height, pages.device)
    if pages.is_cuda:
        # Triton is there only where there is a GPU.
        from folio.model.kernels.resampling import resample_on_cuda  # noqa: PLC0415

        return resample_on_cuda(pages, sheet, along_rows, along_columns)
    planes = pages.permute(0, 3, 1, 2)
    planes = resample_last(planes, along_rows)
    planes = resample_last(planes.transpose(2, 3), along_columns).transpose(2, 3)
    return cut(planes, sheet)


@lru_cache(_NUM_CACHED_TAPS)
def device_taps(size: int, new_size: int, device: torch.device) -> DeviceTaps:
    """The taps on the device; pages of a document share them."""
    taps = bicubic_taps(size, new_size)
    first, weights = (torch.from_numpy(array) for array in (taps.first, taps.weights))
    return DeviceTaps(upload(first, device), upload(weights, device))


def resample_last(planes: Tensor, taps: DeviceTaps) -> Tensor:
    """Resize the last dimension, in plain torch. uint8 (..., size) -> (..., new_size)."""
    total = torch.full((), _HALF, dtype=torch.int32, device=planes.device)
    last = planes.shape[-1] - 1
    for offset in range(taps.weights.shape[1]):
        pixels = planes.index_select(planes.ndim - 1, (taps.first + offset).clamp(max=last))
        total = total + pixels.int() * taps.weights[:, offset]
    return (total >> PRECISION_BITS).clamp(0, 255).to(torch.uint8)


def cut(planes: Tensor, sheet: Sheet) -> Tensor:
    """(pages, 3, height, width) -> (views, 3, view_size, view_size), padded where not full."""
    size, rows, columns = sheet.view_size, sheet.rows, sheet.columns
    right = columns * size - sheet.width - sheet.left
    bottom = rows * size - sheet.height - sheet.top
    padding = (sheet.left, right, sheet.top, bottom)
    planes = functional.pad(planes, padding, value=PADDING_VALUE)
    views = planes.view(-1, 3, rows, size, columns, size).permute(0, 2, 4, 1, 3, 5)
    return views.reshape(-1, 3, size, size)
