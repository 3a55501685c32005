"""How far `folio ocr` is, as a terminal and as a log show it."""

import time

import pytest

from folio.cli.progress_display import Bars, Lines, make_display
from folio.cli.service_client import ReadProgress

HALF = ReadProgress(pages_done=5, num_pages=10, message="page 6 of 10")


def test_a_terminal_shows_a_bar_with_the_files_name_and_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Bars() as bars:
        bars.update("a[b].pdf", HALF)
        time.sleep(0.5)  # it draws itself ten times a second
        bars.say("a line that stays")
        bars.finish("a[b].pdf")
    shown = capsys.readouterr().err
    assert "a[b].pdf" in shown
    assert "page 6 of 10" in shown
    assert "━" in shown
    assert "a line that stays\n" in shown


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(seconds=0) as lines:
        lines.update("a.pdf", HALF)
        lines.finish("a.pdf")
    with Lines(seconds=60) as lines:
        lines.update("b.pdf", HALF)
    assert capsys.readouterr().err == "a.pdf: page 6 of 10\n"


def test_what_is_no_terminal_gets_lines() -> None:
    assert isinstance(make_display(), Lines)
