"""Types told by content, whatever the name says."""

import io

import pillow_heif
import pytest
from PIL import Image

from folio.documents.sniff import IMAGE_TYPES, FileType, sniff, sniff_image
from folio.errors import InvalidInputError, UnsupportedMediaTypeError


def encode(file_format: str) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", (16, 16), "white")
    if file_format == "HEIF":
        pillow_heif.from_pillow(image).save(file)
    else:
        image.save(file, file_format)
    return file.getvalue()


@pytest.mark.parametrize(
    ("file_format", "file_type"),
    [
        ("JPEG", FileType.JPEG),
        ("PNG", FileType.PNG),
        ("WEBP", FileType.WEBP),
        ("TIFF", FileType.TIFF),
        ("BMP", FileType.BMP),
        ("GIF", FileType.GIF),
        ("HEIF", FileType.HEIC),
        ("AVIF", FileType.AVIF),
    ],
)
def test_every_allowed_type_is_told(file_format: str, file_type: FileType) -> None:
    assert sniff_image(encode(file_format)) is file_type


def test_an_iphones_brands_are_heic() -> None:
    head = b"\x00\x00\x00\x24ftypheic\x00\x00\x00\x00mif1MiHEMiPrmiafMiHBheic"
    assert sniff(head) is FileType.HEIC


def test_a_still_image_brand_with_avif_behind_it_is_avif() -> None:
    assert sniff(b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf") is FileType.AVIF


def test_a_film_is_none_of_them() -> None:
    assert sniff(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42") is None


def test_a_pdf_is_sent_to_its_own_address() -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="POST /api/ocr/pdf"):
        sniff_image(b"junk before\n%PDF-1.7\n")


def test_an_empty_file_is_invalid_input() -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        sniff_image(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"Just a text.\n",
        "na\u00efve \u2013 text".encode(),
        b"BM is not always a bitmap",
        b"\xef\xbb\xbfx",
    ],
)
def test_a_text_named_png_is_called_a_text(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="text file") as caught:
        sniff_image(data)
    assert all(file_type in caught.value.message for file_type in IMAGE_TYPES)


def test_a_text_cut_in_a_character_is_still_a_text() -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="text file"):
        sniff_image("\u20ac".encode() * 400)


@pytest.mark.parametrize("data", [b"<svg></svg>", b"<?xml version='1.0'?>\n<svg/>"])
def test_an_svg_is_called_by_its_name(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="SVG"):
        sniff_image(data)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\x00\x00\x00",
        b"\x00\x00\x01\x00\x01\x00",
        b"8BPS\x00\x01",
        b"\x00",
        b"\xff\xd8",
    ],
)
def test_other_types_are_refused_with_the_allowed_ones(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeError) as caught:
        sniff_image(data)
    assert all(file_type in caught.value.message for file_type in IMAGE_TYPES)
