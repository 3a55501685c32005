"""The ladder from end to end, over an engine that loops, ends by length, or says nothing."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from folio.db import PageStatus
from folio.engine.base import FinishReason, GenerationRequest, NoRepeatNgram
from folio.engine.fake import FakeEngine
from folio.errors import (
    EngineOverloadedError,
    FolioError,
    InvalidInputError,
    RequestCanceledError,
)
from folio.pipeline.page import PageOptions
from folio.pipeline.repair import RepairedPage, read_page
from tests.pages import print_page

RULE = NoRepeatNgram(20, 50)
LINES = [f"Line number {number} of a page of print" for number in range(1, 15)]
BOX = "<|det|>[[100, 100, 900, 900]]<|/det|>"


def page_image(lines: list[str] | None = None) -> NDArray[np.uint8]:
    return np.asarray(print_page(LINES if lines is None else lines))


def blank_image(level: int = 255) -> NDArray[np.uint8]:
    return np.full((700, 500, 3), level, dtype=np.uint8)


def rung_of(request: GenerationRequest) -> str:
    return request.request_id.rpartition(":")[2]


def ends(**by_rung: FinishReason) -> Callable[[GenerationRequest], FinishReason]:
    """Endings by rung; every other one stops well."""
    return lambda request: by_rung.get(rung_of(request), "stop")


def says(**by_rung: str) -> Callable[[GenerationRequest], str]:
    """Answers by rung; every other one names its rung."""
    return lambda request: by_rung.get(rung_of(request), f"by {rung_of(request)}")


async def read(
    engine: FakeEngine, image: NDArray[np.uint8] | None = None, **options: object
) -> RepairedPage:
    await engine.start()
    asked = {"mode": "small", "no_repeat_ngram": RULE, **options}
    return await read_page(
        engine,
        page_image() if image is None else image,
        PageOptions(**asked),  # type: ignore[arg-type]
        request_id="task:3",
        max_crops=6,
    )


def rungs(engine: FakeEngine) -> list[str]:
    return [rung_of(request) for request in engine.requests]


async def test_a_page_that_ends_well_is_read_once() -> None:
    engine = FakeEngine("Hello")
    page = await read(engine)
    assert (page.status, page.reason, page.result.text) == (PageStatus.OK, None, "Hello")
    assert [request.request_id for request in engine.requests] == ["task:3:asked"]
    assert [(a.rung, a.mode, a.finish_reason, a.raw_text) for a in page.attempts] == [
        ("asked", "small", "stop", "Hello")
    ]
    assert page.attempts[0].usage == page.result.usage
    assert page.attempts[0].model == "fake"


async def test_a_loop_is_read_again_under_a_stricter_rule_in_the_same_mode() -> None:
    engine = FakeEngine(says(), finish_reason=ends(asked="repetition"))
    page = await read(engine)
    assert (page.status, page.result.text) == (PageStatus.RETRIED, "by stricter")
    first, second = engine.requests
    assert first.no_repeat_ngram == RULE
    assert second.no_repeat_ngram is not None
    assert second.no_repeat_ngram.ngram_size < RULE.ngram_size
    assert second.no_repeat_ngram.window_size > RULE.window_size
    assert second.resolution == first.resolution
    assert page.reason is not None
    assert "repeat" in page.reason
    assert "more strictly" in page.reason
    assert page.reason_code == "repetition_stricter"


async def test_a_loop_under_the_stricter_rule_is_read_in_another_mode() -> None:
    engine = FakeEngine(says(), finish_reason=ends(asked="repetition", stricter="repetition"))
    page = await read(engine)
    assert (page.status, page.result.text) == (PageStatus.RETRIED, "by mode")
    assert page.result.mode == "base"
    assert "mode base" in (page.reason or "")
    assert page.reason_code == "repetition_mode"
    assert engine.requests[2].no_repeat_ngram == engine.requests[1].no_repeat_ngram


async def test_a_loop_in_every_mode_is_read_in_halves() -> None:
    looping = ends(asked="repetition", stricter="repetition", mode="repetition")
    engine = FakeEngine(says(), finish_reason=looping)
    page = await read(engine)
    assert rungs(engine) == ["asked", "stricter", "mode", "upper", "lower"]
    assert (page.status, page.result.text) == (PageStatus.RETRIED, "by upper\n\nby lower")
    assert "two halves" in (page.reason or "")
    assert page.reason_code == "repetition_halves"
    assert [attempt.rung for attempt in page.attempts if attempt.is_kept] == ["upper", "lower"]
    kept = [attempt.usage for attempt in page.attempts[3:]]
    assert page.result.usage.completion_tokens == sum(u.completion_tokens for u in kept)
    assert page.result.usage.image_tokens == sum(u.image_tokens for u in kept)


async def test_the_result_in_halves_has_the_size_of_the_page() -> None:
    looping = ends(asked="repetition", stricter="repetition", mode="repetition")
    image = page_image()
    engine = FakeEngine(f"<|ref|>text<|/ref|>{BOX}\nA line", finish_reason=looping)
    page = await read(engine, image)
    assert (page.result.height, page.result.width) == image.shape[:2]
    upper, lower = engine.requests[3].image, engine.requests[4].image
    assert upper.shape[0] + lower.shape[0] > image.shape[0]
    assert (upper == image[: upper.shape[0]]).all()
    assert (lower == image[-lower.shape[0] :]).all()


async def test_an_answer_that_ended_by_length_skips_the_stricter_rule() -> None:
    engine = FakeEngine(says(), finish_reason=ends(asked="length"))
    page = await read(engine)
    assert rungs(engine) == ["asked", "mode"]
    assert page.status is PageStatus.RETRIED


async def test_a_loop_that_the_engine_took_for_length_gets_the_stricter_rule() -> None:
    engine = FakeEngine(says(asked="again and " * 400), finish_reason=ends(asked="length"))
    page = await read(engine)
    assert rungs(engine) == ["asked", "stricter"]
    assert page.status is PageStatus.RETRIED


async def test_a_page_that_nothing_helps_is_truncated_with_the_best_text() -> None:
    texts = says(asked="a b c", stricter="a " * 999, mode="many words that all differ, they do")
    engine = FakeEngine(texts, finish_reason="repetition")
    page = await read(engine)
    assert page.status is PageStatus.TRUNCATED
    assert page.result.text == "many words that all differ, they do"
    assert "repeat" in (page.reason or "")
    assert "5 times" in (page.reason or "")
    assert page.reason_code == "repetition"
    assert [attempt.rung for attempt in page.attempts if attempt.is_kept] == ["mode"]


async def test_the_raw_text_of_every_attempt_is_kept() -> None:
    page = await read(FakeEngine(says(), finish_reason="length"))
    assert [attempt.raw_text for attempt in page.attempts] == [
        "by asked",
        "by mode",
        "by upper",
        "by lower",
    ]
    assert "missing" in (page.reason or "")
    assert page.reason_code == "length"


async def test_a_half_that_loops_does_not_end_the_page_well() -> None:
    ending = ends(asked="length", mode="length", lower="repetition")
    page = await read(FakeEngine(says(), finish_reason=ending))
    assert page.status is PageStatus.TRUNCATED


async def test_a_half_with_ink_that_says_nothing_does_not_end_the_page_well() -> None:
    answer = says(asked="a", mode="a", upper="a page's upper half", lower="")
    page = await read(FakeEngine(answer, finish_reason=ends(asked="length", mode="length")))
    assert page.status is PageStatus.TRUNCATED
    assert page.result.text == "a page's upper half"
    assert "one half" in (page.reason or "")
    assert page.reason_code == "half_empty"


async def test_a_page_too_low_for_halves_is_truncated_after_the_other_rungs() -> None:
    engine = FakeEngine(says(), finish_reason="repetition")
    page = await read(engine, page_image(LINES)[:100])
    assert rungs(engine) == ["asked", "stricter", "mode"]
    assert page.status is PageStatus.TRUNCATED


async def test_the_users_max_tokens_end_a_page_without_a_retry() -> None:
    engine = FakeEngine("one two three")
    page = await read(engine, max_tokens=2)
    assert rungs(engine) == ["asked"]
    assert (page.status, page.result.text) == (PageStatus.TRUNCATED, "one two")
    assert "max_tokens (2)" in (page.reason or "")
    assert page.reason_code == "max_tokens"


async def test_an_end_by_length_before_the_users_max_tokens_is_retried() -> None:
    engine = FakeEngine("one two three", finish_reason=ends(asked="length"))
    page = await read(engine, max_tokens=100)
    assert rungs(engine) == ["asked", "mode"]
    assert page.status is PageStatus.RETRIED


async def test_halves_share_the_users_max_tokens() -> None:
    ending = ends(asked="length", mode="length")
    engine = FakeEngine("one two three", finish_reason=ending)
    page = await read(engine, max_tokens=5)
    assert [request.max_tokens for request in engine.requests] == [5, 5, 5, 2]
    assert page.status is PageStatus.TRUNCATED
    assert "max_tokens (5)" in (page.reason or "")


async def test_the_mode_of_the_user_may_be_left_and_the_result_tells() -> None:
    engine = FakeEngine(says(), finish_reason=ends(asked="length"))
    page = await read(engine, mode="gundam")
    assert page.result.mode == "large"


async def test_auto_is_measured_once_and_then_stands() -> None:
    engine = FakeEngine(says(), finish_reason=ends(asked="repetition"))
    page = await read(engine, mode="auto")
    assert page.attempts[0].mode == page.attempts[1].mode == page.result.mode


@pytest.mark.parametrize("level", [0, 128, 255])
async def test_a_page_of_one_colour_is_blank_without_a_call(level: int) -> None:
    engine = FakeEngine("must not be said")
    page = await read(engine, blank_image(level))
    assert (page.status, page.reason, page.attempts) == (PageStatus.BLANK, None, ())
    assert (page.result.text, page.result.width, page.result.height) == ("", 500, 700)
    assert engine.requests == []


async def test_a_page_of_dust_on_which_nothing_is_read_is_blank() -> None:
    image = blank_image()
    image[100, 100] = image[300, 50] = 90
    engine = FakeEngine("")
    page = await read(engine, image)
    assert (page.status, len(engine.requests), len(page.attempts)) == (PageStatus.BLANK, 1, 1)


async def test_a_page_with_ink_on_which_nothing_is_read_is_tried_again() -> None:
    engine = FakeEngine(says(asked="  \n"))
    page = await read(engine)
    assert rungs(engine) == ["asked", "mode"]
    assert (page.status, page.result.text) == (PageStatus.RETRIED, "by mode")


async def test_a_page_with_ink_on_which_nothing_is_ever_read_has_failed() -> None:
    engine = FakeEngine("")
    page = await read(engine)
    assert rungs(engine) == ["asked", "mode", "upper", "lower"]
    assert page.status is PageStatus.FAILED
    assert "nothing" in (page.reason or "")
    assert page.reason_code == "empty"


async def test_a_figure_without_a_word_is_an_answer() -> None:
    page = await read(FakeEngine(f"<|ref|>image<|/ref|>{BOX}"))
    assert page.status is PageStatus.OK


async def test_that_what_was_looked_for_is_not_there_is_an_answer() -> None:
    page = await read(FakeEngine(""), task="locate", query="a cat")
    assert page.status is PageStatus.OK


async def test_a_question_about_a_page_is_not_asked_of_its_halves() -> None:
    engine = FakeEngine(says(), finish_reason="repetition")
    page = await read(engine, task="describe")
    assert rungs(engine) == ["asked", "stricter", "mode"]
    assert page.status is PageStatus.TRUNCATED


@pytest.mark.parametrize(
    "error",
    [
        EngineOverloadedError("full", retry_after_seconds=1),
        RequestCanceledError("canceled"),
        InvalidInputError("too long"),
    ],
)
async def test_an_engines_errors_pass_unchanged(error: FolioError) -> None:
    with pytest.raises(type(error), match=error.message):
        await read(FakeEngine("a", error=error))


async def test_an_error_on_the_way_up_passes_too() -> None:
    class Failing(FakeEngine):
        def _answer(self, request: GenerationRequest) -> str:
            if rung_of(request) == "mode":
                raise EngineOverloadedError("full", retry_after_seconds=1)
            return super()._answer(request)

    with pytest.raises(EngineOverloadedError):
        await read(Failing(says(), finish_reason=ends(asked="length")))


async def test_a_mode_that_the_engine_refuses_is_left_out() -> None:
    class Refusing(FakeEngine):
        def _answer(self, request: GenerationRequest) -> str:
            if rung_of(request) == "mode":
                raise InvalidInputError("too many image tokens")
            return super()._answer(request)

    page = await read(Refusing(says(), finish_reason=ends(asked="length")))
    assert (page.status, page.result.text) == (PageStatus.RETRIED, "by upper\n\nby lower")


async def test_cancelling_the_call_aborts_the_rung_that_runs() -> None:
    is_on_the_way_up = asyncio.Event()

    def answer(request: GenerationRequest) -> str:
        if rung_of(request) == "stricter":
            is_on_the_way_up.set()
        return "many words " * 10

    engine = FakeEngine(answer, finish_reason=ends(asked="repetition"), seconds_per_token=0.001)
    task = asyncio.create_task(read(engine))
    await is_on_the_way_up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.aborted == ["task:3:stricter"]
