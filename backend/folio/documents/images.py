"""Image files -> page images: limits first, then strict decoding, upright RGB.

Plain synchronous code: callers on an event loop run it in a thread. Pillow frees the GIL while
it decodes and converts; the copy into numpy goes strip by strip, so that no step holds it long. A
plain JPEG needs neither: with sixteen threads at it those steps had held up the event loop.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
import pillow_heif
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from folio.documents.pixels import to_rgb
from folio.documents.sniff import FileType, sniff_image
from folio.errors import CorruptImageError, ImageTooLargeError, UploadTooLargeError

# The plugins by themselves, not Image.open: only the sniffed type's parser sees the bytes, and
# Image.open's check against the process-wide MAX_IMAGE_PIXELS gives way to the caller's limits.
_PLUGINS: dict[FileType, type[ImageFile.ImageFile]] = {
    FileType.JPEG: JpegImagePlugin.JpegImageFile,
    FileType.PNG: PngImagePlugin.PngImageFile,
    FileType.WEBP: WebPImagePlugin.WebPImageFile,
    FileType.TIFF: TiffImagePlugin.TiffImageFile,
    FileType.BMP: BmpImagePlugin.BmpImageFile,
    FileType.GIF: GifImagePlugin.GifImageFile,
    FileType.HEIC: pillow_heif.HeifImageFile,
    FileType.AVIF: AvifImagePlugin.AvifImageFile,
}

# What Pillow's parsers are known to raise on broken files, each for its own reasons.
_BROKEN_FILE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    AssertionError,
    struct.error,
    UserWarning,  # Pillow warns of broken metadata; where warnings are errors, this is one
)

_STRIP_PIXELS = 250_000  # copied at once into numpy, which holds the GIL for about a millisecond

_TRANSPOSE_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageLimits:
    """What is refused before a pixel is decoded.

    The side limit keeps out strips such as 30,000 x 1, which no mode could read; a long
    screenshot of a phone still fits. An A2 page at 400 dpi is 62 million pixels.
    """

    max_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_side_pixels: int = 20_000


@dataclass(frozen=True)
class PageImage:
    """A page as the user sees it. pixels: uint8 (height, width, 3), upright RGB."""

    pixels: NDArray[np.uint8]
    file_type: FileType

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def decode_image(data: bytes, limits: ImageLimits | None = None) -> PageImage:
    """Decode the first frame of an image file, strictly: a file cut short is an error.

    A 1 x 1 image is a page (a blank one).

    Raises InvalidInputError (empty), UnsupportedMediaTypeError, UploadTooLargeError,
    ImageTooLargeError, CorruptImageError.
    """
    limits = limits or ImageLimits()
    if len(data) > limits.max_bytes:
        raise UploadTooLargeError(
            f"The image has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted.",
            max_bytes=limits.max_bytes,
        )
    file_type = sniff_image(data)
    image = _open(data, file_type)
    _check_size(image.width, image.height, limits)
    return PageImage(_decode(image, data, file_type), file_type)


def _open(data: bytes, file_type: FileType) -> ImageFile.ImageFile:
    """Read the header only."""
    try:
        return _PLUGINS[file_type](io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"The {file_type} image is far larger than any page. Scale it down."
        ) from error
    except _BROKEN_FILE_ERRORS as error:
        raise CorruptImageError(_explain_broken(error, data, file_type)) from error


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if max(width, height) > limits.max_side_pixels:
        raise ImageTooLargeError(
            f"The image is {width:,} x {height:,} pixels; no side may be longer than "
            f"{limits.max_side_pixels:,}. Scale it down, or cut it into pages.",
            width=width,
            height=height,
            max_side_pixels=limits.max_side_pixels,
        )
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(
            f"The image is {width:,} x {height:,} = {width * height:,} pixels; at most "
            f"{limits.max_pixels:,} are accepted. Scale it down: 300 dpi is plenty for print.",
            width=width,
            height=height,
            max_pixels=limits.max_pixels,
        )


def _decode(image: ImageFile.ImageFile, data: bytes, file_type: FileType) -> NDArray[np.uint8]:
    try:
        if file_type is FileType.JPEG and (pixels := _decode_plain_jpeg(image, data)) is not None:
            return pixels
        image.load()
        orientation = _read_orientation(image)
        upright = to_rgb(image)
        if orientation in _TRANSPOSE_BY_ORIENTATION:
            upright = upright.transpose(_TRANSPOSE_BY_ORIENTATION[orientation])
    except (MemoryError, Image.DecompressionBombError) as error:
        raise ImageTooLargeError(
            f"The {file_type} image needs more memory than this machine gives it. Scale it down."
        ) from error
    except _BROKEN_FILE_ERRORS as error:
        raise CorruptImageError(_explain_broken(error, data, file_type)) from error
    return _to_array(upright)


def _decode_plain_jpeg(image: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """By libjpeg-turbo, straight into numpy: the pixels that Pillow gets of it too.

    None where there is more to do than to decode, or anything to complain of: Pillow does it, or
    says what it is.
    """
    if image.mode not in ("RGB", "L") or _read_orientation(image) in _TRANSPOSE_BY_ORIENTATION:
        return None
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=True)
        if (width, height) != image.size:  # the limits were held against Pillow's
            return None
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", fastdct=False, fastupsample=False, strict=True
        )
    except ValueError:
        return None
    return pixels


def _read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where there is none or the metadata is broken.

    TIFF and HEIC come upright from their plugins, which then also clear the tag.
    """
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN_FILE_ERRORS:
        return 1


def _explain_broken(error: Exception, data: bytes, file_type: FileType) -> str:
    if _is_cut_short(error, data, file_type):
        return (
            f"The {file_type} file ends before its image does: the upload or the file was cut "
            "short. Send the whole file."
        )
    return f"The {file_type} image is damaged and does not decode to its end. Export it again."


def _is_cut_short(error: Exception, data: bytes, file_type: FileType) -> bool:
    if file_type is FileType.WEBP:  # the decoder gives no reasons, but the file says its length
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    reason = str(error).lower()
    return any(word in reason for word in ("truncated", "incomplete", "end of", "premature"))


def _to_array(image: Image.Image) -> NDArray[np.uint8]:
    """RGB image -> uint8 (height, width, 3)."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    num_rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, num_rows):
        bottom = min(top + num_rows, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels
