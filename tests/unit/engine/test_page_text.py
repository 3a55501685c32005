"""Deltas add up to the page's text, and a loop ends it."""

from dataclasses import dataclass

import numpy as np

from folio.engine.base import FinishReason, GenerationRequest
from folio.engine.page_text import PageText
from folio.preprocessing.resolution import Mode, resolve


@dataclass(frozen=True)
class Piece:
    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason | None = None


def page_text() -> PageText:
    image = np.zeros((640, 640, 3), dtype=np.uint8)
    resolution = resolve(Mode.SMALL, 640, 640)
    return PageText(GenerationRequest("id", image, "<image>", resolution), 120)


def test_pieces_add_up() -> None:
    page = page_text()
    first = page.add(Piece("Opening ", (7, 8)))
    assert (first.text, first.completion_tokens, first.finish_reason) == ("Opening ", 2, None)
    last = page.add(Piece("hours", (9,), "stop"))
    assert (last.text, last.completion_tokens, last.finish_reason) == ("Opening hours", 3, "stop")
    assert (last.prompt_tokens, last.image_tokens) == (120, 111)


def test_a_loop_is_the_reason_to_end() -> None:
    page = page_text()
    outputs = [page.add(Piece("ha ", (5,) * 64)) for _ in range(20)]
    assert "repetition" in [output.finish_reason for output in outputs]


def test_what_the_engine_gives_as_its_reason_stands() -> None:
    page = page_text()
    for _ in range(20):
        output = page.add(Piece("ha ", (5,) * 64, "length"))
    assert output.finish_reason == "length"
