"""Pages of a PDF that are one scanned picture and nothing else. Runs in the child process.

Pillow's libjpeg decodes in a third of the time that MuPDF's takes; drawing an A4 scan at 144 dpi
takes 60% of what it did. Anything that could look different is left to MuPDF: text, drawings,
annotations, rotation, masks, colours that need a profile, a picture that does not cover the page.
"""

import io
import math
import re
from dataclasses import dataclass

import numpy as np
import pymupdf
from numpy.typing import NDArray
from PIL import Image

from folio.documents.rendering import RenderLimits

_MAX_CONTENT_BYTES = 1024  # what draws one picture takes about 50
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)")
_NAME = re.compile(rb"/[A-Za-z0-9._-]+")
# Whatever else a picture may say of itself changes how it looks, or when it is shown.
_PLAIN_KEYS = frozenset(
    {"Type", "Subtype", "Width", "Height", "BitsPerComponent", "ColorSpace", "Filter", "Length"}
    | {"Name", "Intent", "Interpolate", "Metadata"}
)
# As PyMuPDF names them. Other profiles would change the colours.
_COLOURS = re.compile(r"DeviceRGB|ICCBased\(RGB,.*sRGB.*\)")
_GREYS = re.compile(r"DeviceGray|ICCBased\(Gray,.*sGray.*\)")
_TOLERANCE_PIXELS = 1.0  # of paper at the page's edges; scanners round


@dataclass(frozen=True)
class _Scan:
    """A JPEG and where it lies: in pixels of the page, whose left upper corner is (0, 0)."""

    jpeg: bytes
    mode: str
    size: tuple[int, int]
    place: pymupdf.Rect


def draw_scan(
    page: pymupdf.Page, *, scale: float, limits: RenderLimits
) -> NDArray[np.uint8] | None:
    """A page that is nothing but a scan: uint8 (height, width, 3). None for any other page."""
    scan = _find_scan(page, scale)
    if scan is None or scan.size[0] * scan.size[1] > limits.max_frame_pixels:
        return None
    area = (page.rect * pymupdf.Matrix(scale, scale)).round()
    if not _covers(scan.place, area) or not _is_fine_enough(scan):
        return None
    try:
        return _decode(scan, area)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # MuPDF draws what can be made out


def _find_scan(page: pymupdf.Page, scale: float) -> _Scan | None:
    if page.rotation or page.first_annot or page.first_widget:
        return None
    if page.parent.xref_get_key(page.xref, "UserUnit")[0] != "null":
        return None
    content = _read_short_content(page)
    drawn = None if content is None else parse_content(content)
    if drawn is None:
        return None
    name, matrix = drawn
    place: pymupdf.Rect = pymupdf.Rect(0, 0, 1, 1) * matrix * page.transformation_matrix
    return _read_jpeg(page, name, place * pymupdf.Matrix(scale, scale))


def _read_short_content(page: pymupdf.Page) -> bytes | None:
    """None where it draws more than a picture: a map may have megabytes."""
    document, streams = page.parent, page.get_contents()
    if len(streams) != 1 or document.xref_get_key(streams[0], "Length")[0] != "int":
        return None
    if int(document.xref_get_key(streams[0], "Length")[1]) > _MAX_CONTENT_BYTES:
        return None
    content: bytes = document.xref_stream(streams[0])
    return content


def parse_content(content: bytes) -> tuple[str, pymupdf.Matrix] | None:
    """The name of the one picture that is drawn, upright, and its matrix. None for other content.

    See ISO 32000-1, 8.4.4 and 8.8.
    """
    if len(content) > _MAX_CONTENT_BYTES:
        return None
    matrix, saved, numbers = pymupdf.Matrix(1, 1), [], []
    name: bytes | None = None
    drawn: tuple[str, pymupdf.Matrix] | None = None
    for token in content.split():
        if _NUMBER.fullmatch(token):
            numbers.append(float(token))
        elif _NAME.fullmatch(token):
            name = token
        elif token == b"q" and not numbers:
            saved.append(matrix)
        elif token == b"Q" and not numbers and saved:
            matrix = saved.pop()
        elif token == b"cm" and len(numbers) == 6:
            matrix, numbers = pymupdf.Matrix(*numbers) * matrix, []
        elif token == b"Do" and name is not None and drawn is None:
            drawn = name[1:].decode(), matrix
        else:
            return None
    return drawn if drawn is not None and _is_upright(drawn[1]) else None


def _is_upright(matrix: pymupdf.Matrix) -> bool:
    return matrix.b == matrix.c == 0 and matrix.a > 0 and matrix.d > 0


def _read_jpeg(page: pymupdf.Page, name: str, place: pymupdf.Rect) -> _Scan | None:
    document = page.parent
    found = [image for image in page.get_images(full=True) if image[7] == name]
    if len(found) != 1:
        return None
    xref, mask, width, height, depth, _, _, _, filters, referencer = found[0]
    if mask or depth != 8 or filters != "DCTDecode" or referencer:
        return None
    if not _PLAIN_KEYS.issuperset(document.xref_get_keys(xref)):
        return None
    picture = document.extract_image(xref)
    mode = _pillow_mode(picture["cs-name"])
    if picture["ext"] != "jpeg" or mode is None:
        return None
    return _Scan(picture["image"], mode, (width, height), place)


def _pillow_mode(colour_space: str) -> str | None:
    if _COLOURS.fullmatch(colour_space):
        return "RGB"
    return "L" if _GREYS.fullmatch(colour_space) else None


def _covers(place: pymupdf.Rect, area: pymupdf.IRect) -> bool:
    return bool(
        place.x0 <= _TOLERANCE_PIXELS
        and place.y0 <= _TOLERANCE_PIXELS
        and place.x1 >= area.width - _TOLERANCE_PIXELS
        and place.y1 >= area.height - _TOLERANCE_PIXELS
    )


def _is_fine_enough(scan: _Scan) -> bool:
    """MuPDF enlarges in a way of its own."""
    return scan.size[0] >= scan.place.width and scan.size[1] >= scan.place.height


def _decode(scan: _Scan, area: pymupdf.IRect) -> NDArray[np.uint8] | None:
    place = scan.place
    with Image.open(io.BytesIO(scan.jpeg), formats=["JPEG"]) as picture:
        if picture.mode != scan.mode or picture.size != scan.size:
            return None
        # Halves the size while decoding, as often as that leaves enough.
        picture.draft(scan.mode, (math.ceil(place.width), math.ceil(place.height)))
        across, down = picture.width / place.width, picture.height / place.height
        box = (
            max(0.0, -place.x0 * across),
            max(0.0, -place.y0 * down),
            min(picture.width, (area.width - place.x0) * across),
            min(picture.height, (area.height - place.y0) * down),
        )
        size = (area.width, area.height)
        page = picture.resize(size, Image.Resampling.BILINEAR, box=box)
        return np.asarray(page.convert("RGB"))
