"""`folio ocr` from the files to the results, on a service inside the process."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from folio.cli import app
from folio.cli.ocr import OcrCommand, read_files
from folio.cli.readings import OutputFormat
from folio.config import Settings
from folio.engine.fake import FakeEngine
from folio.jobs.options import DocumentOptions
from tests.pages import encode, print_page
from tests.unit.documents_pdf.pdfs import write_pdf

ANSWER = (
    "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Hello\n\n"
    "<|ref|>image<|/ref|><|det|>[[100, 200, 900, 800]]<|/det|>\n"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    path.write_bytes(encode(print_page(size=(300, 200))))
    return path


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return write_pdf(tmp_path / "Zürich 1.pdf", 3)


async def read(*files: Path, engine: FakeEngine | None = None, **options: object) -> bool:
    command = {
        "options": DocumentOptions(),
        "output_format": OutputFormat.MD,
        "out": None,
        "url": None,
        "is_local": True,
    }
    return await read_files(
        OcrCommand(files, **command | options), Settings(), engine or FakeEngine(answer=ANSWER)
    )


async def test_one_file_is_printed_as_it_is(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await read(image)
    assert capsys.readouterr().out == "# Hello\n"


async def test_several_files_are_printed_under_their_names(
    image: Path, document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await read(image, document, output_format=OutputFormat.TXT)
    printed = capsys.readouterr().out
    assert printed == (f"==> {image} <==\nHello\n\n==> {document} <==\nHello\n\nHello\n\nHello\n\n")


async def test_a_document_is_written_with_its_figures(document: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert await read(document, out=out, options=DocumentOptions(pages="2"))
    markdown = (out / "Zürich 1.md").read_text()
    assert "<!-- page 2 -->" in markdown
    assert "![](Z%C3%BCrich%201_images/page-0002-figure-1.jpg)" in markdown
    assert (out / "Zürich 1_images" / "page-0002-figure-1.jpg").stat().st_size > 100


async def test_json_is_what_the_service_answers(
    image: Path, document: Path, tmp_path: Path
) -> None:
    assert await read(image, document, out=tmp_path, output_format=OutputFormat.JSON)
    assert json.loads((tmp_path / "page.json").read_text())["markdown"] == "# Hello"
    assert len(json.loads((tmp_path / "Zürich 1.json").read_text())["pages"]) == 3


async def test_a_file_that_fails_does_not_keep_the_others(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert not await read(text, tmp_path / "none.pdf", image)
    output = capsys.readouterr()
    assert "# Hello" in output.out
    assert f"folio: {text}: This is a text file" in output.err
    assert "none.pdf: The file cannot be opened (No such file or directory)." in output.err


async def test_a_page_that_was_not_read_to_its_end_is_told(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await read(image, engine=FakeEngine(answer="a b c", finish_reason="repetition"))
    assert "the model began to repeat itself" in capsys.readouterr().err


async def test_an_engine_that_does_not_start_is_told(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not await read(image, engine=FakeEngine(start_error=RuntimeError("No such model.")))
    assert "The engine did not start: No such model." in capsys.readouterr().err


async def test_where_no_service_answers_the_way_out_is_told(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not await read(image, is_local=False, url="http://127.0.0.1:9")
    assert "Start one with `folio serve`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--mode", "huge"], ["--pages", "5-2"], ["--dpi", "5"], ["--format", "docx"]]
)
def test_wrong_options_are_exit_status_2(image: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["ocr", str(image), *arguments]).exit_code == 2


def test_a_file_that_fails_is_exit_status_1(image: Path) -> None:
    arguments = ["ocr", str(image), "--url", "http://127.0.0.1:9"]
    assert CliRunner().invoke(app, arguments).exit_code == 1
