"""A document, told by its content, and its pages one after the other.

A page that one renderer cannot draw is tried with the second; one that neither can draw is a
failed page with a reason, and the rest go on.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from folio.documents.render_process import DocumentFacts, PageJob, RenderProcess
from folio.documents.rendering import DEFAULT_DPI, RendererName, RenderError, check_dpi
from folio.documents.sniff import HEAD_BYTES, FileType, sniff
from folio.errors import (
    CorruptDocumentError,
    InvalidInputError,
    UnsupportedMediaTypeError,
)
from folio.preprocessing.density import Writing

PDF_RENDERERS = (RendererName.MUPDF, RendererName.PDFIUM)


@dataclass(frozen=True)
class RenderedPage:
    """pixels: uint8 (height, width, 3), upright RGB. page_number is 1-based.

    `writing` is None where the document was opened without `measures_writing`.
    """

    page_number: int
    pixels: NDArray[np.uint8]
    renderer: RendererName
    writing: Writing | None = None


@dataclass(frozen=True)
class FailedPage:
    """A page that no renderer could draw."""

    page_number: int
    reason: str


@dataclass(frozen=True)
class Document:
    """An open document. `is_repaired`: the file was damaged; pages may be missing from it."""

    path: Path
    file_type: FileType
    num_pages: int
    is_repaired: bool
    renderers: tuple[RendererName, ...]
    dpi: int
    process: RenderProcess
    measures_writing: bool = False

    def render_pages(self, page_numbers: Sequence[int]) -> Iterator[RenderedPage | FailedPage]:
        """These pages in this order. Blocks: callers on an event loop iterate in a thread."""
        for number, next_number in zip_longest(page_numbers, page_numbers[1:]):
            following = None if next_number is None else self._job(next_number, self.renderers[0])
            yield self._render(number, following)

    def _render(self, page_number: int, following: PageJob | None) -> RenderedPage | FailedPage:
        reasons: list[str] = []
        for renderer in self.renderers:
            job = self._job(page_number, renderer)
            try:
                drawn = self.process.render(job, following=following)
            except (RenderError, CorruptDocumentError) as error:
                reasons.append(f"{renderer}: {str(error).rstrip('.')}")
                following = None  # the next page waits until this one is settled
            else:
                return RenderedPage(page_number, drawn.pixels, renderer, drawn.writing)
        return FailedPage(page_number, f"The page cannot be rendered. {'; '.join(reasons)}.")

    def _job(self, page_number: int, renderer: RendererName) -> PageJob:
        return PageJob(self.path, page_number, renderer, self.dpi, self.measures_writing)


def open_document(
    path: Path,
    process: RenderProcess,
    *,
    renderers: Sequence[RendererName] = PDF_RENDERERS,
    dpi: int = DEFAULT_DPI,
    measures_writing: bool = False,
) -> Document:
    """Open a PDF or a TIFF in `process`. PDFs use `renderers`, the later ones where others fail.
    `measures_writing`: on each page, as mode `auto` needs it.

    Raises InvalidInputError (empty file, dpi), UnsupportedMediaTypeError, CorruptDocumentError,
    EncryptedDocumentError.
    """
    check_dpi(dpi)
    file_type = sniff_document(_read_head(path))
    order = tuple(renderers) if file_type is FileType.PDF else (RendererName.FRAMES,)
    facts, usable = _describe(path, process, order)
    if facts.num_pages == 0:
        raise CorruptDocumentError("The document has no pages. Export it again.")
    return Document(
        path,
        file_type,
        facts.num_pages,
        facts.is_repaired,
        usable,
        dpi,
        process,
        measures_writing,
    )


def sniff_document(head: bytes) -> FileType:
    """The type of a document by its first bytes (HEAD_BYTES of them).

    Raises InvalidInputError (empty), UnsupportedMediaTypeError (anything but PDF and TIFF).
    """
    if not head:
        raise InvalidInputError(
            "The file is empty. Choose a document and send it again.", field="pdf"
        )
    file_type = sniff(head)
    if file_type in (FileType.PDF, FileType.TIFF):
        return file_type
    if file_type is None:
        raise UnsupportedMediaTypeError(
            "By its content, whatever its name says, this is no document that Folio reads. "
            "Send a PDF or a TIFF."
        )
    raise UnsupportedMediaTypeError(
        f"This is a {file_type} image, not a document. Send it to POST /api/ocr/image instead."
    )


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _describe(
    path: Path, process: RenderProcess, renderers: tuple[RendererName, ...]
) -> tuple[DocumentFacts, tuple[RendererName, ...]]:
    """The first renderer that opens the document, with those after it, says what it holds."""
    *others, last = range(len(renderers))
    for position in others:
        with suppress(CorruptDocumentError):
            return process.describe(path, renderers[position]), renderers[position:]
    return process.describe(path, renderers[last]), renderers[last:]
