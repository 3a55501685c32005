"""What is written down for a file that was read."""

from pathlib import Path

import pytest

from folio.cli.readings import (
    Reading,
    output_names,
    text_of_document,
    warnings_of_document,
    write,
)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["scan.pdf"], ["scan.md"]),
        (["a/scan.pdf", "b/page.png"], ["scan.md", "page.md"]),
        (["scan.pdf", "scan.png"], ["scan.pdf.md", "scan.png.md"]),
        (["a/scan.pdf", "b/scan.pdf"], ["scan.pdf.md", "scan.pdf-2.md"]),
    ],
)
def test_no_result_is_written_over_another(paths: list[str], names: list[str]) -> None:
    assert output_names([Path(path) for path in paths], "md") == names


def test_figures_lie_beside_the_markdown_that_links_them(tmp_path: Path) -> None:
    reading = Reading("Text\n\n![](images/f.jpg)", {"f.jpg": b"\xff\xd8"})
    path = write(reading, tmp_path / "new", "my scan.md")
    assert path.read_text() == "Text\n\n![](my%20scan_images/f.jpg)\n"
    assert (tmp_path / "new" / "my scan_images" / "f.jpg").read_bytes() == b"\xff\xd8"


def test_pages_that_went_wrong_are_told() -> None:
    pages = [
        {"page_number": 1, "status": "ok", "reason": None, "text": "One"},
        {"page_number": 2, "status": "blank", "reason": None, "text": ""},
        {"page_number": 3, "status": "failed", "reason": "Too large.", "text": ""},
        {"page_number": 4, "status": "retried", "reason": "Twice.", "text": "Four"},
    ]
    assert warnings_of_document({"pages": pages}) == ["page 3: failed. Too large."]
    assert text_of_document({"pages": pages}) == "One\n\nFour"
