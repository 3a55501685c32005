"""What one page may not do: hold up, take down or fill the worker."""

import os
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from folio.documents.document import FailedPage, RenderedPage, open_document
from folio.documents.render_process import RenderProcess
from folio.documents.rendering import RenderLimits
from tests.unit.documents_pdf.pdfs import raw_pdf, write_pdf

pytestmark = pytest.mark.alone

MEBIBYTE = 1024 * 1024
LIMITS = RenderLimits(
    max_page_pixels=1_000_000, timeout_seconds=3.0, max_memory_bytes=400 * MEBIBYTE
)


@pytest.fixture
def process() -> Iterator[RenderProcess]:
    with RenderProcess(LIMITS) as process:
        yield process


def the_child() -> psutil.Process:
    *_, child = [  # the youngest: another test may have left one that ends
        child
        for child in psutil.Process().children()
        if "folio.documents.render_child" in child.cmdline()
    ]
    return child


def write_hanging_pdf(path: Path) -> Path:
    """A form that draws itself often, and each of those the next one."""
    forms = b"".join(
        f"{number} 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 200 300]/Resources<</XObject"
        f"<</F {number + 1} 0 R>>>>/Length 3000>>stream\n".encode()
        + b"/F Do " * 500
        + b"\nendstream endobj\n"
        for number in range(10, 15)
    )
    square = b"15 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 11>>stream\n0 0 9 9 re f\n"
    return raw_pdf(
        path,
        page_entries="/Resources<</XObject<</F 10 0 R>>>>",
        content=b"/F Do",
        objects=forms + square + b"endstream endobj\n",
    )


def write_image_bomb(path: Path) -> Path:
    """30,000 x 30,000 pixels in RGB, 2.7 GB, in a file of 30 kB."""
    rows = zlib.compress(zlib.compress(b"\0" * (30_000 * 30_000 * 3 // 100), 9), 9)
    image = (
        "10 0 obj<</Type/XObject/Subtype/Image/Width 30000/Height 30000/BitsPerComponent 8"
        f"/ColorSpace/DeviceRGB/Filter[/FlateDecode/FlateDecode]/Length {len(rows)}>>stream\n"
    )
    return raw_pdf(
        path,
        page_entries="/Resources<</XObject<</I 10 0 R>>>>",
        content=b"200 0 0 300 0 0 cm /I Do",
        objects=image.encode() + rows + b"\nendstream endobj\n",
    )


def test_a_page_that_hangs_fails_in_time(process: RenderProcess, tmp_path: Path) -> None:
    document = open_document(write_hanging_pdf(tmp_path / "a.pdf"), process)

    (page,) = document.render_pages((1,))

    assert isinstance(page, FailedPage)
    assert "longer than 3 seconds" in page.reason


def test_a_decompression_bomb_fails_or_is_drawn_within_the_memory_limit(
    process: RenderProcess, tmp_path: Path
) -> None:
    path = write_image_bomb(tmp_path / "bomb.pdf")
    assert path.stat().st_size < 100_000

    (page,) = open_document(path, process).render_pages((1,))
    (good,) = open_document(write_pdf(tmp_path / "a.pdf", 1), process).render_pages((1,))

    assert page.page_number == 1
    assert isinstance(good, RenderedPage)


def test_a_page_that_wants_more_memory_than_there_is_fails_alone(tmp_path: Path) -> None:
    limits = RenderLimits(max_page_pixels=90_000_000, max_memory_bytes=700 * MEBIBYTE)
    path = write_pdf(tmp_path / "a.pdf", 1, width=14_400, height=14_400)
    with RenderProcess(limits) as process:
        (page,) = open_document(path, process, dpi=600).render_pages((1,))
        (good,) = open_document(write_pdf(tmp_path / "b.pdf", 1), process).render_pages((1,))

    assert isinstance(page, FailedPage)
    assert "memory" in page.reason
    assert isinstance(good, RenderedPage)


def test_a_crash_costs_no_page(process: RenderProcess, tmp_path: Path) -> None:
    document = open_document(write_pdf(tmp_path / "a.pdf", 12), process)
    pages = []
    for page in document.render_pages(range(1, 13)):
        pages.append(page)
        if page.page_number in (3, 7):
            os.kill(the_child().pid, signal.SIGSEGV)

    assert [page.page_number for page in pages] == list(range(1, 13))
    assert all(isinstance(page, RenderedPage) for page in pages)


def test_the_child_ends_with_its_worker(tmp_path: Path) -> None:
    with RenderProcess(LIMITS) as process:
        open_document(write_pdf(tmp_path / "a.pdf"), process)
        child = the_child()

    assert not child.is_running()


def test_the_child_sees_no_secrets(process: RenderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERNAL_API_TOKEN", "secret")

    process.start()

    assert "INTERNAL_API_TOKEN" not in the_child().environ()


def test_memory_stays_level_over_2000_pages(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "long.pdf", 2000)
    with RenderProcess(RenderLimits()) as process:
        pages = open_document(path, process, dpi=72).render_pages(range(1, 2001))
        early_bytes = late_bytes = 0
        for page in pages:
            if page.page_number == 100:
                early_bytes = the_child().memory_info().rss
            if page.page_number == 2000:
                late_bytes = the_child().memory_info().rss

    assert late_bytes < 1.2 * early_bytes
