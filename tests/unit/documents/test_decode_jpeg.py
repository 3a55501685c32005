"""JPEGs, of which plain ones are decoded by libjpeg-turbo and all others by Pillow."""

import io
import struct

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageChops

from folio.documents import decode_image
from folio.errors import CorruptImageError
from tests.unit.documents.image_files import CORNERS, corners, encode, picture


@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 20}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_pixels_are_those_of_the_reference_decoder(
    mode: str, options: dict[str, object]
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (75, 101, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise).convert(mode), "JPEG", **options)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    decoded = decode_image(data).pixels
    np.testing.assert_array_equal(decoded, reference)
    assert decoded.flags.writeable


def test_a_jpeg_that_is_not_quite_right_is_read_as_pillow_reads_it() -> None:
    data = encode(picture(), "JPEG")
    scan = data.index(b"\xff\xda")
    with_stray_bytes = data[:scan] + b"\x00\x00\x00" + data[scan:]
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(with_stray_bytes, strict=True)
    assert corners(decode_image(with_stray_bytes).pixels) == CORNERS


def test_a_jpeg_whose_size_is_in_doubt_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplejpeg, "decode_jpeg_header", lambda *_, **__: (9, 9, "YCbCr", "420"))
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    assert corners(decode_image(encode(picture(), "JPEG")).pixels) == CORNERS


def test_cmyk_as_adobe_writes_it_has_its_colours() -> None:
    assert corners(decode_image(encode(picture().convert("CMYK"), "JPEG")).pixels) == CORNERS


def test_cmyk_without_adobes_marker_has_its_colours() -> None:
    inverted = encode(ImageChops.invert(picture().convert("CMYK")), "JPEG")
    start = inverted.index(b"\xff\xee")
    length = struct.unpack(">H", inverted[start + 2 : start + 4])[0]
    plain = inverted[:start] + inverted[start + 2 + length :]
    assert corners(decode_image(plain).pixels) == CORNERS


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_progressive_jpeg_cut_short_is_corrupt(share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "JPEG", progressive=True)
    with pytest.raises(CorruptImageError, match="ends before its image does"):
        decode_image(data[: int(len(data) * share)])
