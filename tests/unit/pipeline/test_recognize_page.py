"""From options to a page's result, over an engine that answers from a script."""

import asyncio

import numpy as np
import pytest

from folio.engine.base import GenerationRequest, NoRepeatNgram
from folio.engine.fake import FakeEngine
from folio.errors import EngineNotReadyError, EngineTimeoutError, InvalidInputError
from folio.pipeline import MODES, Block, BoundingBox, PageOptions, Task, recognize_page
from folio.preprocessing.density import Writing
from folio.preprocessing.resolution import Mode

PAGE = np.full((200, 100, 3), 255, dtype=np.uint8)
ANSWER = "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>\n# Hello <b>"


async def started(engine: FakeEngine) -> FakeEngine:
    await engine.start()
    return engine


async def read(engine: FakeEngine, **options: object) -> GenerationRequest:
    """Read a page with these options; what the engine was asked for."""
    await started(engine)
    await recognize_page(engine, PAGE, PageOptions(**options))  # type: ignore[arg-type]
    return engine.requests[-1]


async def test_a_page_comes_back_as_text_markdown_blocks_and_usage() -> None:
    engine = await started(FakeEngine(ANSWER))
    result = await recognize_page(engine, PAGE, PageOptions(mode="tiny"))
    assert result.text == "Hello <b>"
    assert result.markdown == "# Hello &lt;b>"
    assert result.raw_text == ANSWER
    assert result.blocks == (Block("title", "# Hello <b>", (BoundingBox(0, 0, 100, 200),)),)
    assert (result.width, result.height) == (100, 200)
    assert (result.mode, result.finish_reason) == (Mode.TINY, "stop")
    assert result.usage.image_tokens == 73
    assert result.usage.prompt_tokens > 73
    assert result.usage.completion_tokens == 7


@pytest.mark.parametrize("mode", list(Mode))
async def test_the_mode_asked_for_is_used(mode: Mode) -> None:
    engine = await started(FakeEngine(ANSWER))
    result = await recognize_page(engine, PAGE, PageOptions(mode=mode))
    assert result.mode is mode


async def test_auto_reports_the_mode_that_was_chosen() -> None:
    engine = await started(FakeEngine(ANSWER))
    result = await recognize_page(engine, PAGE, PageOptions())
    assert result.mode is Mode.TINY  # the page is blank
    assert engine.requests[0].resolution.base_size == 512


async def test_auto_goes_by_the_writing_that_was_measured_before() -> None:
    engine = await started(FakeEngine(ANSWER))
    result = await recognize_page(engine, PAGE, PageOptions(), writing=Writing(0.0, 0))
    assert result.mode is Mode.GUNDAM


async def test_the_task_decides_the_prompt() -> None:
    request = await read(FakeEngine(), task="locate", query="a cat")
    assert request.prompt == "<image>\nLocate <|ref|>a cat<|/ref|> in the image."


async def test_limits_reach_the_engine() -> None:
    ngram = NoRepeatNgram(20, 50)
    request = await read(FakeEngine(), max_tokens=5, no_repeat_ngram=ngram)
    assert (request.max_tokens, request.no_repeat_ngram) == (5, ngram)


async def test_images_are_guarded_against_repeated_30_grams_by_default() -> None:
    assert (await read(FakeEngine())).no_repeat_ngram == NoRepeatNgram(30, 90)


async def test_max_crops_reaches_the_resolution() -> None:
    engine = await started(FakeEngine())
    tall = np.full((3000, 700, 3), 255, dtype=np.uint8)
    await recognize_page(engine, tall, PageOptions(mode="gundam"), max_crops=2)
    assert engine.requests[0].resolution.crop_grid.num_views == 2


async def test_every_page_has_its_own_request_id_unless_given() -> None:
    engine = await started(FakeEngine())
    for request_id in (None, None, "mine"):
        await recognize_page(engine, PAGE, PageOptions(), request_id=request_id)
    ids = [request.request_id for request in engine.requests]
    assert len(set(ids)) == 3
    assert ids[2] == "mine"


async def test_a_cut_off_answer_says_so() -> None:
    engine = await started(FakeEngine("one two three"))
    result = await recognize_page(engine, PAGE, PageOptions(task="free", max_tokens=2))
    assert (result.text, result.finish_reason) == ("one two", "length")


async def test_tags_in_an_answer_to_an_ungrounded_prompt_are_text() -> None:
    engine = await started(FakeEngine(ANSWER))
    result = await recognize_page(engine, PAGE, PageOptions(task="free"))
    assert result.text == ANSWER
    assert result.blocks[0].boxes == ()


async def test_a_page_with_only_the_word_image_on_it_is_read() -> None:
    engine = await started(FakeEngine("<|ref|>image<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>"))
    result = await recognize_page(engine, PAGE, PageOptions(task="ocr"))
    assert result.text == "image"


async def test_cancelling_the_call_aborts_the_request() -> None:
    engine = await started(FakeEngine("many words " * 100, seconds_per_token=0.01))
    task = asyncio.create_task(recognize_page(engine, PAGE, PageOptions(), request_id="a"))
    await engine.was_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (engine.aborted, engine.num_running) == (["a"], 0)


async def test_an_engine_that_is_loading_is_not_asked() -> None:
    with pytest.raises(EngineNotReadyError, match="loading"):
        await recognize_page(FakeEngine(), PAGE, PageOptions())


async def test_an_engine_that_dies_on_the_way_is_told() -> None:
    engine = await started(FakeEngine("many words " * 100, seconds_per_token=0.01))
    task = asyncio.create_task(recognize_page(engine, PAGE, PageOptions()))
    await engine.was_asked.wait()
    engine.die("The engine core was killed.")
    with pytest.raises(EngineNotReadyError, match="killed"):
        await task


async def test_an_engines_own_errors_pass_unchanged() -> None:
    engine = await started(
        FakeEngine("a b c", error=EngineTimeoutError("late"), error_after_tokens=2)
    )
    with pytest.raises(EngineTimeoutError, match="late"):
        await recognize_page(engine, PAGE, PageOptions())


async def test_an_answer_without_an_end_is_an_error() -> None:
    engine = await started(FakeEngine("a", finish_reason=None))  # type: ignore[arg-type]
    with pytest.raises(EngineNotReadyError, match="middle of the page"):
        await recognize_page(engine, PAGE, PageOptions())


async def test_answers_can_be_scripted_by_prompt_and_by_request() -> None:
    engine = await started(
        FakeEngine(
            lambda request: f"{request.image.shape[1]} wide",
            answer_by_prompt={"<image>\nFree OCR.": "scripted"},
        )
    )
    free = await recognize_page(engine, PAGE, PageOptions(task="free"))
    other = await recognize_page(engine, PAGE, PageOptions(task="describe"))
    assert (free.text, other.text) == ("scripted", "100 wide")


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError) as caught:
        PageOptions(mode="huge")
    assert "'huge'" in caught.value.message
    assert all(mode in caught.value.message for mode in MODES)


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError) as caught:
        PageOptions(task="dance")
    assert all(task in caught.value.message for task in Task)


@pytest.mark.parametrize("max_tokens", [-1, 0, 8193, 10**30])
def test_max_tokens_out_of_range_is_refused_with_the_range(max_tokens: int) -> None:
    with pytest.raises(InvalidInputError, match="from 1 to 8,192"):
        PageOptions(max_tokens=max_tokens)


def test_options_without_the_words_that_their_task_needs_are_refused_at_once() -> None:
    with pytest.raises(InvalidInputError, match="needs a query"):
        PageOptions(task="locate")


async def test_a_failed_start_is_kept_in_the_status() -> None:
    engine = await started(FakeEngine(start_error=OSError("no weights")))
    assert (engine.status.state, engine.status.reason) == ("unhealthy", "no weights")
