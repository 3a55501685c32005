"""The two kernels of `model.resampling`: along the rows of pages, then along the columns."""

from typing import TYPE_CHECKING

import triton
import triton.language as tl
from torch import Tensor

from folio.preprocessing.resampling import PRECISION_BITS
from folio.preprocessing.transforms import PADDING_VALUE

if TYPE_CHECKING:
    from folio.model.resampling import DeviceTaps, Sheet

_BLOCK = 512


@triton.jit
def _round_to_byte(total, precision: tl.constexpr):
    level = (total + (1 << (precision - 1))) >> precision
    return tl.minimum(tl.maximum(level, 0), 255).to(tl.uint8)


@triton.jit
def _resample_rows(
    pages,  # uint8 (pages, height, width, 3)
    planes,  # uint8 (pages, 3, height, new_width): written
    first,  # int32 (new_width,)
    weights,  # int32 (new_width, num_taps)
    height,
    width,
    new_width,
    num_taps,
    precision: tl.constexpr,
    block: tl.constexpr,
):
    """One line of one channel of one page per program, a block of its pixels."""
    line = tl.program_id(0).to(tl.int64)  # over (pages, 3, height)
    row, channel, page = line % height, line // height % 3, line // height // 3
    x = tl.program_id(1) * block + tl.arange(0, block)
    inside = x < new_width
    leftmost = tl.load(first + x, mask=inside, other=0)
    source = pages + (page * height + row) * width * 3 + channel
    total = tl.zeros((block,), tl.int32)
    for tap in range(num_taps):
        column = tl.minimum(leftmost + tap, width - 1)
        weight = tl.load(weights + x * num_taps + tap, mask=inside, other=0)
        total += tl.load(source + column * 3, mask=inside, other=0).to(tl.int32) * weight
    tl.store(planes + line * new_width + x, _round_to_byte(total, precision), mask=inside)


@triton.jit
def _resample_columns(
    planes,  # uint8 (pages, 3, height, width)
    views,  # uint8 (pages * rows * columns, 3, view_size, view_size): written
    first,  # int32 (new_height,)
    weights,  # int32 (new_height, num_taps)
    height,
    width,
    new_height,
    num_taps,
    view_size,
    columns,
    rows,
    left,
    top,
    precision: tl.constexpr,
    block: tl.constexpr,
):
    """One line of one channel of the sheet per program, a block of its pixels."""
    line = tl.program_id(0)  # over (pages, 3, new_height)
    row, channel, page = line % new_height, line // new_height % 3, line // new_height // 3
    x = tl.program_id(1) * block + tl.arange(0, block)
    inside = x < width
    topmost = tl.load(first + row)
    source = planes + (page * 3 + channel).to(tl.int64) * height * width
    total = tl.zeros((block,), tl.int32)
    for tap in range(num_taps):
        weight = tl.load(weights + row * num_taps + tap)
        above = tl.minimum(topmost + tap, height - 1).to(tl.int64) * width
        total += tl.load(source + above + x, mask=inside, other=0).to(tl.int32) * weight
    y, x_on_sheet = row + top, x + left
    view = (page * rows + y // view_size) * columns + x_on_sheet // view_size
    target = (view.to(tl.int64) * 3 + channel) * view_size + y % view_size
    place = target * view_size + x_on_sheet % view_size
    tl.store(views + place, _round_to_byte(total, precision), mask=inside)


def resample_on_cuda(
    pages: Tensor, sheet: "Sheet", along_rows: "DeviceTaps", along_columns: "DeviceTaps"
) -> Tensor:
    """See `resampling.resample`. pages: contiguous."""
    num_pages, height, width, _ = pages.shape
    planes = pages.new_empty((num_pages, 3, height, sheet.width))
    num_blocks = triton.cdiv(sheet.width, _BLOCK)
    _resample_rows[(num_pages * 3 * height, num_blocks)](
        pages,
        planes,
        along_rows.first,
        along_rows.weights,
        height,
        width,
        sheet.width,
        along_rows.weights.shape[1],
        precision=PRECISION_BITS,
        block=_BLOCK,
    )
    shape = num_pages * sheet.rows * sheet.columns, 3, sheet.view_size, sheet.view_size
    views = pages.new_empty(shape) if sheet.is_full else pages.new_full(shape, PADDING_VALUE)
    _resample_columns[(num_pages * 3 * sheet.height, num_blocks)](
        planes,
        views,
        along_columns.first,
        along_columns.weights,
        height,
        sheet.width,
        sheet.height,
        along_columns.weights.shape[1],
        sheet.view_size,
        sheet.columns,
        sheet.rows,
        sheet.left,
        sheet.top,
        precision=PRECISION_BITS,
        block=_BLOCK,
    )
    return views
