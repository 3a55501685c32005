"""Pages of a PDF by pypdfium2, which is permissively licensed. Runs in the child process."""

from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw
from numpy.typing import NDArray

from folio.documents.rendering import RenderError, RenderLimits, choose_scale
from folio.errors import CorruptDocumentError, EncryptedDocumentError


class PdfiumRenderer:
    """See PageRenderer. PDFium mends damaged files without saying so."""

    is_repaired = False

    def __init__(self, path: Path, limits: RenderLimits) -> None:
        """Raises CorruptDocumentError, EncryptedDocumentError."""
        self._limits = limits
        self._document = _open(path)
        self._document.init_forms()  # without it, what was filled into a form stays unseen

    @property
    def num_pages(self) -> int:
        return len(self._document)

    def render_page(self, page_number: int, *, dpi: int) -> NDArray[np.uint8]:
        try:
            return self._draw(page_number, dpi)
        except (pypdfium2.PdfiumError, RuntimeError, ValueError, IndexError) as error:
            raise RenderError(str(error)) from error

    def close(self) -> None:
        self._document.close()

    def _draw(self, page_number: int, dpi: int) -> NDArray[np.uint8]:
        page = self._document[page_number - 1]
        try:
            scale = choose_scale(*page.get_size(), dpi=dpi, limits=self._limits)
            bitmap = page.render(
                scale=scale,
                rev_byteorder=True,  # RGB
                force_bitmap_format=pypdfium2.raw.FPDFBitmap_BGR,
                fill_color=(255, 255, 255, 255),
            )
            return _copy_pixels(bitmap)
        finally:
            page.close()


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise EncryptedDocumentError(
                "The PDF is encrypted. Remove the password and upload it again."
            ) from error
        raise CorruptDocumentError(
            "The PDF is damaged beyond repair. Export or download it again."
        ) from error


def _copy_pixels(bitmap: pypdfium2.PdfBitmap) -> NDArray[np.uint8]:
    """PDFium pads rows to four bytes and frees the bitmap with its owner: a copy has neither."""
    try:
        return np.ascontiguousarray(bitmap.to_numpy())
    finally:
        bitmap.close()
