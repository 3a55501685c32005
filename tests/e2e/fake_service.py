"""The whole service around an engine that answers from a script: for tests of the web page.

Real contract, real database, real documents; only the model is missing. Settings come from the
environment as always (PORT, DATA_DIR); SECONDS_PER_TOKEN besides. Of documents, page 3 fails,
page 4 repeats itself at the first try, and the end of page 5 is missing. To the prompt "hostile" it
answers with all that must not reach the page.

Usage: python -m tests.e2e.fake_service
"""

import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn

from folio.api.app import create_app
from folio.cli.serve import EVENT_LOOP
from folio.config import Settings
from folio.engine.base import GenerationOutput, GenerationRequest
from folio.engine.fake import FakeEngine
from folio.errors import InvalidInputError
from folio.logging import configure_logging
from tests.e2e import files

FAILED_PAGE, REPEATING_PAGE, TRUNCATED_PAGE = 3, 4, 5

HOSTILE = Path(__file__).with_name("hostile.md").read_text()


class ScriptedEngine(FakeEngine):
    """Reads every page as the sheet of files.py."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        page_number, rung = page_and_rung(request)
        if page_number == FAILED_PAGE:
            raise InvalidInputError("The model could not make anything of this page.")
        async for output in super().generate(request):
            ends_badly = output.finish_reason is not None and (
                page_number == TRUNCATED_PAGE or (page_number == REPEATING_PAGE and rung == "asked")
            )
            if ends_badly:
                yield replace(
                    output,
                    finish_reason="length" if page_number == TRUNCATED_PAGE else "repetition",
                )
            else:
                yield output


def page_and_rung(request: GenerationRequest) -> tuple[int | None, str]:
    """Of a document's page; None for an image."""
    parts = request.request_id.split(":")
    return (int(parts[1]), parts[2]) if len(parts) > 2 else (None, "asked")


def answer(request: GenerationRequest) -> str:
    if "hostile" in request.prompt:
        return f"{HOSTILE}\n\n{huge_table()}"
    if "OCR this image" in request.prompt:
        lines = (files.TITLE, files.INTRO, files.HEADING, files.CAPTION, files.CLOSING)
        return "\n".join(f"{ref(text)}{det(box)}" for text, box in lines)
    if "Locate" in request.prompt:
        return f"{ref('Readings')}{det(files.HEADING[1])}"
    if "<|grounding|>" not in request.prompt:
        return f"{files.TITLE[0]}\n\n{files.INTRO[0]}"
    return "\n\n".join(grounded_blocks())


def grounded_blocks() -> Iterator[str]:
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in files.TABLE
    )
    yield f"{ref('title')}{det(files.TITLE[1])}\n# {files.TITLE[0]}"
    yield f"{ref('text')}{det(files.INTRO[1])}\n{files.INTRO[0]}"
    yield f"{ref('sub_title')}{det(files.HEADING[1])}\n## {files.HEADING[0]}"
    yield f"{ref('table')}{det(files.TABLE_BOX)}\n<table>{rows}</table>"
    yield f"{ref('equation')}{det(files.FORMULA_BOX)}\n\\[ R = \\frac{{a \\cdot d^2}}{{2}} \\]"
    yield f"{ref('image')}{det(files.FIGURE_BOX)}"
    yield f"{ref('image_caption')}{det(files.CAPTION[1])}\n<center>{files.CAPTION[0]}</center>"
    yield f"{ref('text')}{det(files.CLOSING[1])}\n{files.CLOSING[0]}"
    yield "![a picture from elsewhere](https://example.com/spy.png)"


def huge_table(num_rows: int = 150, num_columns: int = 30) -> str:
    row = f"<tr>{'<td>cell</td>' * num_columns}</tr>"
    return f"<table>{row * num_rows}</table>"


def ref(text: str) -> str:
    return f"<|ref|>{text}<|/ref|>"


def det(box: tuple[int, int, int, int]) -> str:
    """In thousandths of the page."""
    sides = (files.WIDTH, files.HEIGHT) * 2
    numbers = (round(999 * value / side) for value, side in zip(box, sides, strict=True))
    return f"<|det|>[[{', '.join(map(str, numbers))}]]<|/det|>"


def main() -> None:
    settings = Settings()
    configure_logging("INFO")
    engine = ScriptedEngine(
        answer=answer,
        seconds_per_token=float(os.environ.get("SECONDS_PER_TOKEN", "0.002")),
        start_seconds=float(os.environ.get("START_SECONDS", "0")),
        model="scripted",
    )
    app, port = create_app(settings, engine), settings.server.port
    uvicorn.run(app, host="127.0.0.1", port=port, loop=EVENT_LOOP, log_config=None)


if __name__ == "__main__":
    main()
