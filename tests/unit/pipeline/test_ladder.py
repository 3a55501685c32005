"""Which rungs are tried, in which mode, under which rule."""

import random

import pytest

from folio.engine.base import FinishReason, NoRepeatNgram
from folio.pipeline.ladder import (
    OTHER_MODE,
    Rung,
    Trouble,
    another_mode,
    ended_by_max_tokens,
    find_trouble,
    information,
    next_rungs,
    repeats_itself,
    stricter,
)
from folio.pipeline.page import PageOptions
from folio.pipeline.prompts import IMAGE_NO_REPEAT_NGRAM, PDF_PAGE_NO_REPEAT_NGRAM
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage
from folio.preprocessing.resolution import Mode

WORDS = (
    "whether I shall turn out to be the hero of my own life or whether that station will be held "
    "by anybody else these pages must show"
)
PROSE = " ".join(random.Random(1).choices(WORDS.split(), k=1000))
TABLE = "<table>" + "".join(
    f"<tr><td>{n * 7919 % 1000}</td><td>{n * 104729 % 997}.{n % 100:02d}</td></tr>"
    for n in range(200)
)


def result(
    text: str = "Hello",
    ending: FinishReason = "stop",
    *,
    blocks: tuple[Block, ...] = (),
    num_tokens: int = 10,
) -> PageResult:
    usage = Usage(100, 90, num_tokens)
    return PageResult(text, text, text, blocks, 100, 100, Mode.BASE, usage, ending)


@pytest.mark.parametrize(
    ("page", "trouble"),
    [
        (result(), None),
        (result(ending="repetition"), "repetition"),
        (result(ending="length"), "length"),
        (result(""), "empty"),
        (result(" \n\t"), "empty"),
        (result("", "length"), "length"),
    ],
)
def test_what_is_wrong_with_an_answer(page: PageResult, trouble: Trouble | None) -> None:
    assert find_trouble(page, PageOptions()) == trouble


def test_a_figure_alone_is_not_empty() -> None:
    figure = Block("image", "", (BoundingBox(0, 0, 9, 9),))
    assert find_trouble(result("", blocks=(figure,)), PageOptions()) is None


def test_to_find_nothing_is_an_answer_to_locate_only() -> None:
    assert find_trouble(result(""), PageOptions(task="locate", query="a cat")) is None
    assert find_trouble(result(""), PageOptions(task="describe")) == "empty"


@pytest.mark.parametrize(
    ("ending", "num_tokens", "max_tokens", "by_user"),
    [
        ("length", 50, 50, True),
        ("length", 49, 50, False),
        ("length", 50, None, False),
        ("stop", 50, 50, False),
        ("repetition", 50, 50, False),
    ],
)
def test_the_users_limit_is_told_from_the_models(
    ending: FinishReason, num_tokens: int, max_tokens: int | None, by_user: bool
) -> None:
    page, options = result("a", ending, num_tokens=num_tokens), PageOptions(max_tokens=max_tokens)
    assert ended_by_max_tokens(page, options) is by_user
    assert (find_trouble(page, options) is None) is (by_user or ending == "stop")


def test_a_loop_is_tried_on_every_rung() -> None:
    assert next_rungs("repetition", result(), PageOptions()) == (
        Rung.STRICTER,
        Rung.MODE,
        Rung.HALVES,
    )


@pytest.mark.parametrize("text", [PROSE, TABLE, "short", ""], ids=["prose", "table", "short", "no"])
def test_a_full_page_is_not_read_again_under_a_stricter_rule(text: str) -> None:
    assert next_rungs("length", result(text), PageOptions()) == (Rung.MODE, Rung.HALVES)


def test_a_full_page_that_repeats_itself_is() -> None:
    page = result(PROSE + " and so on" * 300)
    assert Rung.STRICTER in next_rungs("length", page, PageOptions())


@pytest.mark.parametrize("task", ["markdown", "ocr", "free"])
def test_what_is_read_can_be_read_in_halves(task: str) -> None:
    assert next_rungs("empty", result(""), PageOptions(task=task)) == (Rung.MODE, Rung.HALVES)


@pytest.mark.parametrize(
    "options",
    [
        PageOptions(task="figure"),
        PageOptions(task="describe"),
        PageOptions(task="locate", query="x"),
        PageOptions(task="custom", prompt="What is the total?"),
    ],
    ids=lambda options: str(options.task),
)
def test_what_is_asked_about_a_page_is_asked_of_the_whole(options: PageOptions) -> None:
    assert Rung.HALVES not in next_rungs("repetition", result(), options)


@pytest.mark.parametrize(
    "rule", [PDF_PAGE_NO_REPEAT_NGRAM, IMAGE_NO_REPEAT_NGRAM, NoRepeatNgram(5, 10)]
)
def test_a_stricter_rule_is_shorter_and_looks_further_back(rule: NoRepeatNgram) -> None:
    harder = stricter(rule)
    assert harder.ngram_size < rule.ngram_size
    assert harder.window_size >= max(256, rule.window_size)
    assert harder.allowed_tokens == rule.allowed_tokens


def test_a_stricter_rule_never_forbids_ordinary_language() -> None:
    assert stricter(NoRepeatNgram(4, 90)).ngram_size == 4


def test_where_there_was_no_rule_there_is_one() -> None:
    assert stricter(None).ngram_size > 0


@pytest.mark.parametrize("trouble", ["repetition", "length", "empty"])
@pytest.mark.parametrize("mode", list(Mode))
def test_another_mode_is_another_one(mode: Mode, trouble: Trouble) -> None:
    assert another_mode(mode, trouble) is not mode


def test_every_mode_has_another() -> None:
    assert set(OTHER_MODE) == set(Mode)


@pytest.mark.parametrize("mode", [Mode.TINY, Mode.SMALL, Mode.BASE, Mode.LARGE])
def test_below_gundam_another_mode_is_finer(mode: Mode) -> None:
    order = list(Mode)
    assert order.index(another_mode(mode, "length")) > order.index(mode)


def test_a_full_gundam_page_gets_a_mode_with_more_room_for_the_answer() -> None:
    assert another_mode(Mode.GUNDAM, "length") is Mode.LARGE
    assert another_mode(Mode.GUNDAM, "repetition") is Mode.BASE


@pytest.mark.parametrize("unit", ["a", "and so on ", "<td></td>", "\u5f88\u597d", "x" * 180])
def test_a_loop_is_seen_whatever_repeats(unit: str) -> None:
    assert repeats_itself(PROSE + unit * (4000 // len(unit)))


@pytest.mark.parametrize("text", [PROSE, TABLE, PROSE + "a" * 500, "a" * 1999])
def test_ordinary_text_is_no_loop(text: str) -> None:
    assert not repeats_itself(text)


def test_a_loop_says_less_than_a_sentence() -> None:
    assert information("again " * 5000) < information("Ten words that all differ say more.")


def test_halves_of_surrogate_pairs_are_measured_too() -> None:
    assert information("\ud83d" * 10) > 0
