"""Names of files as users give them."""

import pytest

from folio.jobs.filenames import stem_of, tidy_filename


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 2024 · 日本.pdf", "Übersicht 2024 · 日本.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\page 1.tif", "page 1.tif"),
        ("a\r\nSet-Cookie: b.pdf", "aSet-Cookie: b.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("", "document"),
        (None, "document"),
        ("..", "document"),
        ("scans/", "document"),
    ],
)
def test_a_name_is_kept_without_what_could_do_harm(given: str | None, kept: str) -> None:
    assert tidy_filename(given) == kept


def test_a_long_name_keeps_its_extension() -> None:
    name = tidy_filename("x" * 1000 + ".pdf")
    assert len(name) <= 200
    assert name.endswith("x.pdf")


@pytest.mark.parametrize(
    ("name", "stem"), [("a.b.pdf", "a.b"), ("report", "report"), (".hidden", ".hidden")]
)
def test_the_stem_is_the_name_without_its_extension(name: str, stem: str) -> None:
    assert stem_of(name) == stem
