"""Tells a file's type by its first bytes, from an allow-list. Names and headers are not asked."""

from enum import StrEnum

from folio.errors import InvalidInputError, UnsupportedMediaTypeError

HEAD_BYTES = 1024  # PDF allows this much before its header; every other signature is shorter

_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
)


class FileType(StrEnum):
    """A type that Folio knows. The value is what a message calls it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    TIFF = "TIFF"
    BMP = "BMP"
    GIF = "GIF"
    HEIC = "HEIC"
    AVIF = "AVIF"
    PDF = "PDF"


IMAGE_TYPES = tuple(file_type for file_type in FileType if file_type is not FileType.PDF)

_SIGNATURES = (
    (b"\xff\xd8\xff", FileType.JPEG),
    (b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (b"II*\x00", FileType.TIFF),
    (b"MM\x00*", FileType.TIFF),
    (b"II+\x00", FileType.TIFF),  # BigTIFF
    (b"MM\x00+", FileType.TIFF),
    (b"GIF87a", FileType.GIF),
    (b"GIF89a", FileType.GIF),
)


def sniff(data: bytes) -> FileType | None:
    """The type of a file by its content, or None where it is none that Folio knows."""
    head = data[:HEAD_BYTES]
    for signature, file_type in _SIGNATURES:
        if head.startswith(signature):
            return file_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileType.WEBP
    if _is_bmp(head):
        return FileType.BMP
    if head[4:8] == b"ftyp":
        return _sniff_brands(head)
    return FileType.PDF if b"%PDF-" in head else None


def sniff_image(data: bytes) -> FileType:
    """The type of an image that Folio reads.

    Raises InvalidInputError (empty file), UnsupportedMediaTypeError (anything else).
    """
    if not data:
        raise InvalidInputError(
            "The file is empty. Choose an image and send it again.", field="image"
        )
    file_type = sniff(data)
    if file_type is FileType.PDF:
        raise UnsupportedMediaTypeError(
            "This is a PDF, not an image. Send it to POST /api/ocr/pdf instead."
        )
    if file_type is None:
        raise UnsupportedMediaTypeError(
            f"{_describe_unknown(data)} Send one of: {', '.join(IMAGE_TYPES)}."
        )
    return file_type


def _is_bmp(head: bytes) -> bool:
    # "BM" alone also begins texts; the size of the second header is one of a few numbers.
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _sniff_brands(head: bytes) -> FileType | None:
    """Major and compatible brands of an ISO media file (ISO/IEC 14496-12, box `ftyp`)."""
    box = head[: max(16, int.from_bytes(head[:4], "big"))]
    brands = {box[8:12]} | {box[start : start + 4] for start in range(16, len(box), 4)}
    if brands & _AVIF_BRANDS:
        return FileType.AVIF
    return FileType.HEIC if brands & _HEIC_BRANDS else None


def _describe_unknown(data: bytes) -> str:
    head = data[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:4] == b"<svg" or (head[:5] == b"<?xml" and b"<svg" in head):
        return "This is an SVG drawing, whatever its name says."
    if b"\x00" not in head and _is_utf8(head):
        return "This is a text file, whatever its name says."
    return "By its content, whatever its name says, this is no image of a type that Folio reads."


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character.
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True
