"""Pages of a PDF by PyMuPDF, which is licensed under the AGPL. Runs in the child process."""

from pathlib import Path

import numpy as np
import pymupdf
from numpy.typing import NDArray

from folio.documents.rendering import RenderError, RenderLimits, choose_scale
from folio.documents.scans import draw_scan
from folio.errors import CorruptDocumentError, EncryptedDocumentError

# What PyMuPDF and the library below it raise on broken input; the first holds FzErrorSystem,
# "malloc failed", too.
_MUPDF_ERRORS = (pymupdf.mupdf.FzErrorBase, RuntimeError, ValueError, TypeError, AttributeError)

_DAMAGED = "The PDF is damaged beyond repair. Export or download it again."

# So often, the decoded images and fonts that pages share are dropped: MuPDF would keep 256 MB.
_PAGES_PER_STORE = 8


class MupdfRenderer:
    """See PageRenderer."""

    def __init__(self, path: Path, limits: RenderLimits) -> None:
        """Raises CorruptDocumentError, EncryptedDocumentError."""
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        self._limits = limits
        self._document = _open(path)
        self.num_pages = _count_pages(self._document)
        self._pixmap: pymupdf.Pixmap | None = None
        self._num_drawn = 0

    @property
    def is_repaired(self) -> bool:
        return bool(self._document.is_repaired)

    def render_page(self, page_number: int, *, dpi: int) -> NDArray[np.uint8]:
        pymupdf.TOOLS.reset_mupdf_warnings()
        self._pixmap = None  # its memory is taken again; fresh memory takes longer than the text
        try:
            pixels = self._draw(page_number, dpi)
        except _MUPDF_ERRORS as error:
            if "malloc" in str(error):
                raise MemoryError from error
            raise RenderError(str(error)) from error
        self._num_drawn += 1
        if self._num_drawn % _PAGES_PER_STORE == 0:
            self._forget_pages()
        _check_is_blank_on_purpose(pixels)
        return pixels

    def close(self) -> None:
        self._pixmap = None
        self._document.close()

    def _forget_pages(self) -> None:
        """Drop what MuPDF keeps of the pages that were drawn: 1.2 MB of objects for a hundred."""
        pymupdf.TOOLS.store_shrink(100)
        if not self.is_repaired:  # the objects of a repaired file are not those on the disk
            pdf = pymupdf.mupdf.pdf_document_from_fz_document(self._document.this)
            pymupdf.mupdf.pdf_clear_xref(pdf)

    def _draw(self, page_number: int, dpi: int) -> NDArray[np.uint8]:
        page = self._document.load_page(page_number - 1)
        scale = choose_scale(page.rect.width, page.rect.height, dpi=dpi, limits=self._limits)
        scan = draw_scan(page, scale=scale, limits=self._limits)
        if scan is not None:
            return scan
        matrix = pymupdf.Matrix(scale, scale)
        pixmap = page.get_pixmap(matrix=matrix, colorspace=pymupdf.csRGB, alpha=False)
        self._pixmap = pixmap  # it owns the memory that the array shows
        pixels = np.frombuffer(pixmap.samples_mv, dtype=np.uint8)
        return pixels.reshape(pixmap.height, pixmap.width, 3)


def _open(path: Path) -> pymupdf.Document:
    try:
        document = pymupdf.open(path, filetype="pdf")
    except _MUPDF_ERRORS as error:
        raise CorruptDocumentError(_DAMAGED) from error
    if not document.is_pdf:  # the library knows more types than we have sniffed
        raise CorruptDocumentError("The file begins like a PDF and is none. Export it again.")
    if document.needs_pass:
        raise EncryptedDocumentError(
            "The PDF is encrypted. Remove the password and upload it again."
        )
    return document


def _count_pages(document: pymupdf.Document) -> int:
    try:
        return int(document.page_count)
    except _MUPDF_ERRORS as error:
        raise CorruptDocumentError(_DAMAGED) from error


def _check_is_blank_on_purpose(pixels: NDArray[np.uint8]) -> None:
    """MuPDF only warns of content that it leaves out: a page of which nothing is left has failed.

    Raises RenderError.
    """
    warnings = str(pymupdf.TOOLS.mupdf_warnings())
    if warnings and pixels.min() == pixels.max():
        last = warnings.splitlines()[-1].removesuffix(" ()")
        raise RenderError(f"nothing could be drawn: {last}")
