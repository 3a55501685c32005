"""A page's pixels as bytes for the way between two processes, without loss and in about 1 ms.

Two things about pages make them small: most are grey, so one channel says it all, and most of a
page is white paper, so groups of 8 white pixels are left out and only marked in a bitmap. Figures
and alternatives: docs/decisions/0004. What comes in is checked to the last byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from folio.errors import InvalidInputError

Bytes = NDArray[np.uint8]

_GROUP_PIXELS = 8
_GROUP_BYTES = 3 * _GROUP_PIXELS  # three words of 8 bytes, as a page has it in memory
_WHITE_WORD = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_GROUP = np.dtype((np.void, _GROUP_BYTES))
# Fewer groups left out than this do not pay for the bitmap and the copies.
_LEAST_BLANK_SHARE = 1 / 16


@dataclass(frozen=True)
class PixelFormat:
    """How a page's bytes are to be read.

    num_channels: 1 is grey, where red, green and blue are equal. num_inked_groups: in how many
    groups of 8 pixels not all are white; None where no group was left out.
    """

    width: int
    height: int
    num_channels: Literal[1, 3]
    num_inked_groups: int | None

    @property
    def num_pixels(self) -> int:
        return self.width * self.height

    @property
    def num_groups(self) -> int:
        """Whole groups in the page; the pixels that are left over always travel."""
        return self.num_pixels // _GROUP_PIXELS

    @property
    def num_bitmap_bytes(self) -> int:
        return 0 if self.num_inked_groups is None else -(-self.num_groups // 8)

    @property
    def num_encoded_bytes(self) -> int:
        """Bytes on the way: the bitmap, the groups with ink, the pixels left over."""
        if self.num_inked_groups is None:
            return self.num_pixels * self.num_channels
        num_sent = self.num_inked_groups * _GROUP_PIXELS + self.num_pixels % _GROUP_PIXELS
        return self.num_bitmap_bytes + num_sent * self.num_channels


def encode_pixels(image: Bytes) -> tuple[PixelFormat, Sequence[Bytes]]:
    """The page as a format and arrays of bytes to be sent one after the other.

    image: uint8 (height, width, 3). The arrays may be views of it.
    """
    height, width = image.shape[:2]
    flat = np.ascontiguousarray(image).reshape(-1)
    groups, rest = _split(flat)
    words = groups.view(np.uint64).reshape(-1, 3)
    has_ink = (words[:, 0] & words[:, 1] & words[:, 2]) != _WHITE_WORD
    inked = np.flatnonzero(has_ink)
    if inked.size > has_ink.size * (1 - _LEAST_BLANK_SHARE):
        num_channels, pixels = _fold(flat)
        return PixelFormat(width, height, num_channels, None), [pixels]
    # One array of both, so that one look tells whether all of it is grey.
    sent = np.concatenate([groups[inked].view(np.uint8), rest])
    num_channels, pixels = _fold(sent)
    pixel_format = PixelFormat(width, height, num_channels, inked.size)
    return pixel_format, [np.packbits(has_ink), pixels]


def decode_pixels(pixel_format: PixelFormat, data: Bytes) -> Bytes:
    """The page again: uint8 (height, width, 3), contiguous; may be a view of `data`.

    Raises InvalidInputError where the bytes are not exactly what the format says.
    """
    if data.size != pixel_format.num_encoded_bytes:
        raise InvalidInputError(
            f"The page has {data.size:,} bytes, and not the {pixel_format.num_encoded_bytes:,} "
            "that its header announces. Send it again."
        )
    bitmap, pixels = np.split(data, [pixel_format.num_bitmap_bytes])
    flat = pixels if pixel_format.num_channels == 3 else _unfold(pixels)
    if pixel_format.num_inked_groups is not None:
        has_ink = np.unpackbits(bitmap, count=pixel_format.num_groups).view(np.bool_)
        flat = _lay_on_paper(pixel_format, has_ink, flat)
    return flat.reshape(pixel_format.height, pixel_format.width, 3)


def _lay_on_paper(pixel_format: PixelFormat, has_ink: NDArray[np.bool_], sent: Bytes) -> Bytes:
    """All pixels, of the groups with ink and the pixels left over. uint8 (bytes,)."""
    if int(np.count_nonzero(has_ink)) != pixel_format.num_inked_groups:
        raise InvalidInputError("The page's bitmap does not fit its header. Send the page again.")
    page = np.full(3 * pixel_format.num_pixels, 255, np.uint8)
    groups, rest = _split(page)
    groups[has_ink], rest[:] = _split(sent)
    return page


def _split(flat: Bytes) -> tuple[NDArray[np.void], Bytes]:
    """Whole groups, each one item, and the bytes left over: views. flat: uint8 (bytes,)."""
    end = flat.size - flat.size % _GROUP_BYTES
    return flat[:end].view(_GROUP), flat[end:]


def _fold(flat: Bytes) -> tuple[Literal[1, 3], Bytes]:
    """One channel of grey pixels, all three of others. flat: uint8 (3 * pixels,)."""
    pixels = flat.reshape(-1, 3)
    return (1, np.ascontiguousarray(pixels[:, 0])) if _is_grey(pixels) else (3, flat)


def _is_grey(pixels: Bytes) -> bool:
    # Colour is mostly in many pixels: a few of them tell, before all are looked at.
    sample = pixels[:: max(1, len(pixels) // 1024)]
    if (sample != sample[:, :1]).any():
        return False
    red, green, blue = (pixels[:, channel] for channel in range(3))
    return bool((red == green).all() and (green == blue).all())


def _unfold(grey: Bytes) -> Bytes:
    pixels = np.empty((grey.size, 3), np.uint8)
    # Channel by channel: broadcasting along the last axis takes four times as long.
    for channel in range(3):
        pixels[:, channel] = grey
    return pixels.reshape(-1)
