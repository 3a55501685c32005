from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest
from PIL import Image

from folio.documents.document import open_document
from folio.documents.render_process import RenderProcess
from folio.documents.rendering import RendererName
from folio.documents.sniff import FileType
from folio.errors import (
    CorruptDocumentError,
    EncryptedDocumentError,
    FolioError,
    InvalidInputError,
    UnsupportedMediaTypeError,
)
from tests.unit.documents_pdf.pdfs import raw_pdf, write_pdf, write_tiff


@pytest.fixture(scope="module")
def process() -> Iterator[RenderProcess]:
    with RenderProcess() as process:
        yield process


def test_a_pdf_is_told_by_its_content(process: RenderProcess, tmp_path: Path) -> None:
    document = open_document(write_pdf(tmp_path / "scan.jpg"), process)

    assert (document.file_type, document.num_pages) == (FileType.PDF, 3)
    assert not document.is_repaired


def test_a_file_that_took_the_place_of_another_is_read(
    process: RenderProcess, tmp_path: Path
) -> None:
    open_document(write_pdf(tmp_path / "a.pdf", 3), process)

    assert open_document(write_pdf(tmp_path / "a.pdf", 2), process).num_pages == 2


def test_frames_of_a_tiff_are_pages(process: RenderProcess, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (30 + index, 40)) for index in range(3)]

    document = open_document(write_tiff(tmp_path / "fax.tif", frames), process)

    assert (document.file_type, document.num_pages) == (FileType.TIFF, 3)


@pytest.mark.parametrize("renderer", [RendererName.MUPDF, RendererName.PDFIUM])
def test_a_password_is_asked_to_be_removed(
    process: RenderProcess, tmp_path: Path, renderer: RendererName
) -> None:
    path = tmp_path / "locked.pdf"
    pymupdf.open(write_pdf(tmp_path / "open.pdf")).save(
        path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="user", owner_pw="owner"
    )

    with pytest.raises(EncryptedDocumentError, match="Remove the password"):
        open_document(path, process, renderers=(renderer,))


def test_a_pdf_that_only_forbids_printing_opens(process: RenderProcess, tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    pymupdf.open(write_pdf(tmp_path / "open.pdf")).save(
        path, encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="owner"
    )

    assert open_document(path, process).num_pages == 3


def test_without_pymupdf_the_other_renderer_does_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "raise ModuleNotFoundError(name='pymupdf')"
    (tmp_path / "pymupdf.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "junk.pdf").write_bytes(b"%PDF-1.4\njunk")

    with RenderProcess() as process:
        document = open_document(write_pdf(tmp_path / "a.pdf"), process)
        pages = list(document.render_pages((1, 2, 3)))
        with pytest.raises(CorruptDocumentError, match="damaged beyond repair"):
            open_document(tmp_path / "junk.pdf", process)

    assert {getattr(page, "renderer", None) for page in pages} == {RendererName.PDFIUM}


def test_a_broken_xref_is_repaired(process: RenderProcess, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "broken.pdf")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rfind(b"startxref")] + b"startxref\n12345\n%%EOF")

    document = open_document(path, process)

    assert (document.num_pages, document.is_repaired) == (3, True)


@pytest.mark.parametrize("count", [-5, 2**31 - 1])
def test_a_page_count_that_cannot_be_is_counted_anew(
    process: RenderProcess, tmp_path: Path, count: int
) -> None:
    path = raw_pdf(tmp_path / "count.pdf", kids="3 0 R", count=count)

    assert open_document(path, process).num_pages == 1


def test_zero_pages_are_a_corrupt_document(process: RenderProcess, tmp_path: Path) -> None:
    with pytest.raises(CorruptDocumentError, match="no pages"):
        open_document(raw_pdf(tmp_path / "zero.pdf", kids="", count=0), process)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", InvalidInputError),
        (b"Dear Sir or Madam", UnsupportedMediaTypeError),
        (b"\x89PNG\r\n\x1a\n", UnsupportedMediaTypeError),
        (b"PK\x03\x04", UnsupportedMediaTypeError),
        (b"%PDF-1.4\njunk", CorruptDocumentError),
        (b"II*\x00\xff\xff\xff\xff", CorruptDocumentError),
    ],
)
def test_what_is_no_document_is_refused(
    process: RenderProcess, tmp_path: Path, content: bytes, error: type[FolioError]
) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(content)

    with pytest.raises(error):
        open_document(path, process)


@pytest.mark.parametrize("dpi", [0, 35, 601])
def test_a_dpi_out_of_range_is_refused(process: RenderProcess, tmp_path: Path, dpi: int) -> None:
    with pytest.raises(InvalidInputError, match=f"dpi={dpi}"):
        open_document(write_pdf(tmp_path / "a.pdf"), process, dpi=dpi)
