"""Image files as users have them, good and bad, into upright RGB pixels."""

import random
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from folio.documents import FileType, ImageLimits, decode_image
from folio.errors import (
    CorruptImageError,
    FolioError,
    ImageTooLargeError,
    InvalidInputError,
    UnsupportedMediaTypeError,
    UploadTooLargeError,
)
from tests.unit.documents.image_files import (
    BLUE,
    CORNERS,
    HEIGHT,
    RED,
    WIDTH,
    Pixels,
    corners,
    encode,
    picture,
)


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"]
)
def test_every_allowed_type_is_decoded(file_format: str) -> None:
    page = decode_image(encode(picture(), file_format))
    assert (page.width, page.height) == (WIDTH, HEIGHT)
    assert page.pixels.dtype == np.uint8
    assert page.pixels.flags.c_contiguous
    assert corners(page.pixels) == CORNERS


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_lossless_pixels_are_exact(file_format: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 31, 3), dtype=np.uint8)
    decoded = decode_image(encode(Image.fromarray(noise), file_format))
    np.testing.assert_array_equal(decoded.pixels, noise)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_exif_orientation_is_applied_once(file_format: str, orientation: int) -> None:
    back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = picture()
    for method in back[orientation]:
        stored = stored.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = decode_image(encode(stored, file_format, exif=exif.tobytes()))
    assert (page.width, page.height) == (WIDTH, HEIGHT)
    assert corners(page.pixels) == CORNERS


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_spoil_the_image() -> None:
    data = encode(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert corners(decode_image(data).pixels) == CORNERS


def test_an_unknown_orientation_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert corners(decode_image(encode(picture(), "PNG", exif=exif)).pixels) == CORNERS


def test_cmyk_tiff_has_its_colours() -> None:
    assert corners(decode_image(encode(picture().convert("CMYK"), "TIFF")).pixels) == CORNERS


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("P", "PNG"), ("P", "BMP"), ("P", "TIFF"), ("RGBA", "PNG"), ("YCbCr", "TIFF")],
)
def test_other_colour_modes_have_their_colours(mode: str, file_format: str) -> None:
    assert corners(decode_image(encode(picture().convert(mode), file_format)).pixels) == CORNERS


def test_lab_has_its_colours() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(picture(), srgb, lab, outputMode="LAB")
    assert image is not None
    assert corners(decode_image(encode(image, "TIFF")).pixels) == CORNERS


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_one_bit_pages_are_black_and_white(file_format: str) -> None:
    page = Image.new("1", (20, 10), 1)
    page.paste(0, (0, 0, 10, 10))
    pixels = decode_image(encode(page, file_format)).pixels
    assert (pixels[:, :10] == 0).all()
    assert (pixels[:, 10:] == 255).all()


def deep_page(low: int, high: int) -> NDArray[np.uint16]:
    """Paper at `high` with a few lines of writing at `low`."""
    values = np.full((100, 200), high, dtype=np.uint16)
    values[20:30, 20:180:3] = low
    return values


def is_readable(pixels: Pixels) -> bool:
    return int(pixels[25, 20, 0]) < 40 and int(pixels[60, 100, 0]) > 215


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (100, 4095), (20_000, 40_000), (9, 255)])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_rescaled_to_its_own_range(file_format: str, low: int, high: int) -> None:
    data = encode(Image.fromarray(deep_page(low, high)), file_format)
    assert is_readable(decode_image(data).pixels)


def test_16_bit_grey_with_white_as_zero_is_turned() -> None:
    values = deep_page(0, 60_000)
    data = bytearray(encode(Image.fromarray(60_000 - values), "TIFF"))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))  # PhotometricInterpretation
    data[entry + 8 : entry + 10] = b"\x00\x00"
    assert is_readable(decode_image(bytes(data)).pixels)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bit_grey_is_rescaled_to_its_own_range(dtype: type) -> None:
    data = encode(Image.fromarray(deep_page(10, 3000).astype(dtype)), "TIFF")
    assert is_readable(decode_image(data).pixels)


def test_not_a_number_does_not_spoil_the_page() -> None:
    values = deep_page(10, 3000).astype(np.float32)
    values[0, 0] = np.nan
    assert is_readable(decode_image(encode(Image.fromarray(values), "TIFF")).pixels)


def test_one_word_on_a_deep_page_is_not_clipped_away() -> None:
    values = np.full((1000, 1000), 50_000, dtype=np.uint16)
    values[500:510, 500:530:2] = 20_000
    pixels = decode_image(encode(Image.fromarray(values), "PNG")).pixels
    assert int(pixels[505, 500, 0]) < 40


def test_a_blank_deep_page_stays_blank() -> None:
    noise = np.random.default_rng(0).normal(40_000, 100, (100, 100)).astype(np.uint16)
    pixels = decode_image(encode(Image.fromarray(noise), "PNG")).pixels
    assert pixels.min() > 200


@pytest.mark.parametrize("value", [0, 1, 40_000, 65535])
def test_a_flat_deep_page_is_white(value: int) -> None:
    flat = np.full((10, 10), value, dtype=np.uint16)
    assert (decode_image(encode(Image.fromarray(flat), "PNG")).pixels == 255).all()


def writing_on_nothing(ink: int, mode: str) -> Image.Image:
    image = Image.new("RGBA", (100, 50), (128, 128, 128, 0))
    image.paste((ink, ink, ink, 255), (10, 10, 40, 20))
    return image.convert(mode)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (90, 255), (255, 0), (200, 0)])
def test_transparent_pages_get_paper_that_shows_the_ink(
    ink: int, paper: int, file_format: str
) -> None:
    pixels = decode_image(encode(writing_on_nothing(ink, "RGBA"), file_format)).pixels
    assert abs(int(pixels[15, 20, 0]) - ink) < 8
    assert abs(int(pixels[40, 90, 0]) - paper) < 8


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_transparent_grey_gets_paper_that_shows_the_ink(ink: int, paper: int) -> None:
    pixels = decode_image(encode(writing_on_nothing(ink, "LA"), "PNG")).pixels
    assert (pixels[15, 20, 0], pixels[40, 90, 0]) == (ink, paper)


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_transparent_palettes_get_paper_that_shows_the_ink(
    ink: int, paper: int, file_format: str
) -> None:
    image = Image.new("P", (100, 50), 0)
    image.putpalette([128, 128, 128, ink, ink, ink])
    image.paste(1, (10, 10, 40, 20))
    pixels = decode_image(encode(image, file_format, transparency=0)).pixels
    assert (pixels[15, 20, 0], pixels[40, 90, 0]) == (ink, paper)


def test_a_transparent_colour_counts_as_transparency() -> None:
    image = Image.new("RGB", (100, 50), (1, 2, 3))
    image.paste((255, 255, 255), (10, 10, 40, 20))
    pixels = decode_image(encode(image, "PNG", transparency=(1, 2, 3))).pixels
    assert (pixels[15, 20, 0], pixels[40, 90, 0]) == (255, 0)


def test_an_opaque_page_with_see_through_corners_keeps_its_paper() -> None:
    image = Image.new("RGBA", (100, 50), (255, 255, 255, 255))
    image.paste((0, 0, 0, 255), (20, 20, 60, 25))
    image.paste((0, 0, 0, 0), (0, 0, 5, 5))
    pixels = decode_image(encode(image, "PNG")).pixels
    assert (pixels[0, 0] == 255).all()


def test_an_invisible_page_is_white() -> None:
    pixels = decode_image(encode(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")).pixels
    assert (pixels == 255).all()


@pytest.mark.parametrize("file_format", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_is_read(file_format: str) -> None:
    other = Image.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))
    data = encode(picture(), file_format, save_all=True, append_images=[other])
    assert corners(decode_image(data).pixels) == CORNERS


def test_an_empty_file_is_invalid_input() -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        decode_image(b"")


def test_a_text_is_no_image() -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        decode_image(b"This is named scan.png")


def test_a_file_over_the_byte_limit_is_not_opened() -> None:
    with pytest.raises(UploadTooLargeError, match=r"101 bytes; at most 100"):
        decode_image(b"x" * 101, ImageLimits(max_bytes=100))


def noise_file(file_format: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    return encode(Image.fromarray(noise), file_format)


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_corrupt(file_format: str, share: float) -> None:
    data = noise_file(file_format)
    with pytest.raises(CorruptImageError, match=r"cut short|damaged"):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_the_message_says_that_a_cut_file_was_cut(file_format: str) -> None:
    data = noise_file(file_format)
    with pytest.raises(CorruptImageError, match="ends before its image does"):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"]
)
def test_a_file_that_is_only_its_first_bytes_is_corrupt(file_format: str) -> None:
    with pytest.raises(CorruptImageError):
        decode_image(noise_file(file_format)[:24])


def blank_png(width: int, height: int) -> bytes:
    """A black page of one bit per pixel, made without ever holding it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = b"\x00" * (1 + (width + 7) // 8)
    packed = zlib.compressobj(9)
    body = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_pixel_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = blank_png(40_000, 40_000)
    assert len(bomb) < 300_000
    with pytest.raises(ImageTooLargeError, match=r"40,000 x 40,000"):
        decode_image(bomb)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "BMP", "GIF"])
def test_pixels_are_counted_before_decoding(file_format: str) -> None:
    data = encode(picture(), file_format)
    with pytest.raises(ImageTooLargeError, match=r"64 x 40 = 2,560 pixels; at most 2,559"):
        decode_image(data[:-4], ImageLimits(max_pixels=2_559))


@pytest.mark.parametrize("file_format", ["WEBP", "HEIF", "AVIF"])
def test_pixels_are_counted_in_newer_formats_too(file_format: str) -> None:
    with pytest.raises(ImageTooLargeError, match=r"64 x 40 = 2,560 pixels; at most 2,559"):
        decode_image(encode(picture(), file_format), ImageLimits(max_pixels=2_559))


def test_a_webp_beyond_all_measure_is_refused() -> None:
    frames = [Image.new("RGB", (64, 64), color) for color in (RED, BLUE)]
    data = bytearray(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    canvas = data.index(b"VP8X") + 12  # width - 1 and height - 1, in three bytes each
    data[canvas : canvas + 6] = b"\xfe\x3f\x00" * 2
    with pytest.raises(ImageTooLargeError):
        decode_image(bytes(data))


def test_a_strip_of_30_000_x_1_is_refused_with_the_limit() -> None:
    strip = encode(Image.new("L", (30_000, 1), 255), "PNG")
    with pytest.raises(ImageTooLargeError, match=r"30,000 x 1 pixels; no side .* 20,000"):
        decode_image(strip)


def test_one_pixel_is_a_page() -> None:
    page = decode_image(encode(Image.new("RGB", (1, 1), RED), "PNG"))
    assert page.pixels.tolist() == [[list(RED)]]
    assert page.file_type is FileType.PNG


def test_a_large_page_needs_no_process_wide_limit() -> None:
    # Pillow warns beyond 89 million pixels, and warnings are errors here.
    limit_before = Image.MAX_IMAGE_PIXELS
    page = decode_image(blank_png(9_500, 9_500), ImageLimits(max_pixels=10**8))
    assert (page.width, page.height) == (9_500, 9_500)
    assert limit_before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"]
)
def test_damaged_files_raise_nothing_but_our_errors(file_format: str) -> None:
    data = encode(picture(), file_format)
    rng = random.Random(4)
    limits = ImageLimits(max_pixels=1_000_000)
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            page = decode_image(bytes(broken), limits)
        except FolioError:
            continue
        assert page.pixels.ndim == 3
