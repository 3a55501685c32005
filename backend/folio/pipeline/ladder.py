"""The rungs that a page climbs which is not read well at once: what each tries, and when. Pure.

    asked     as the user asked
    stricter  a stricter no-repeat n-gram: against loops that the first one was too short for
    mode      another resolution mode: see OTHER_MODE
    halves    the page in two overlapping halves: each has less to say, and says it in more detail

A loop is tried on every rung. An answer that ended by length without repeating itself says that
the page is too full, and one that is empty that the page was not seen: for both a stricter rule
changes nothing, so its rung is left out. Questions about a page ("describe", "locate" ...) have
no answer that can be put together from halves.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from folio.engine.base import NoRepeatNgram
from folio.pipeline.page import PageOptions
from folio.pipeline.prompts import Task
from folio.pipeline.results import PageResult
from folio.preprocessing.resolution import Mode


class Rung(StrEnum):
    """In the order in which they are tried."""

    ASKED = "asked"
    STRICTER = "stricter"
    MODE = "mode"
    HALVES = "halves"


Trouble = Literal["repetition", "length", "empty"]
"""What is wrong with an answer: it loops, its end is missing, or there is nothing in it."""

OTHER_MODE: Mapping[Mode, Mode] = {
    Mode.TINY: Mode.BASE,  # finer
    Mode.SMALL: Mode.BASE,  # finer
    Mode.BASE: Mode.GUNDAM,  # finer
    Mode.LARGE: Mode.GUNDAM,  # finer
    Mode.GUNDAM: Mode.BASE,  # one view instead of many: some two-column pages loop only in gundam
}
# Where the end is missing: fewer image tokens than gundam's leave more room for the answer.
_MODE_AFTER_FULL_GUNDAM = Mode.LARGE

_LEAST_WINDOW = 256  # tokens; a loop of up to this length cannot go on
_LEAST_NGRAM = 4  # anything shorter is ordinary language
_READING_TASKS = frozenset({Task.MARKDOWN, Task.OCR, Task.FREE})

_TAIL_CHARACTERS = 2_000
_LOOP_SHARE = 0.3  # of the tail says something new; of prose nearly all, of tables of figures 0.8
_SAYING = 12  # characters


def find_trouble(page: PageResult, options: PageOptions) -> Trouble | None:
    """What is wrong with this answer; None where it ended well, or as the user asked."""
    if page.finish_reason == "repetition":
        return "repetition"
    if page.finish_reason == "length":
        return None if ended_by_max_tokens(page, options) else "length"
    # That what was looked for is not there is an answer.
    return "empty" if is_empty(page) and options.task != Task.LOCATE else None


def ended_by_max_tokens(page: PageResult, options: PageOptions) -> bool:
    """Whether the answer is as long as the user allows, and not as long as the model can."""
    is_cut_off = page.finish_reason == "length" and options.max_tokens is not None
    return is_cut_off and page.usage.completion_tokens >= (options.max_tokens or 0)


def is_empty(page: PageResult) -> bool:
    """Whether the model has seen nothing on the page, not even a figure."""
    return not page.blocks and not page.text.strip()


def next_rungs(trouble: Trouble, page: PageResult, options: PageOptions) -> tuple[Rung, ...]:
    """What to try after the first answer, in this order, until one ends well."""
    is_loop = trouble == "repetition" or (trouble == "length" and repeats_itself(page.raw_text))
    rungs = [Rung.STRICTER] if is_loop else []
    rungs.append(Rung.MODE)
    if options.task in _READING_TASKS:
        rungs.append(Rung.HALVES)
    return tuple(rungs)


def stricter(rule: NoRepeatNgram | None) -> NoRepeatNgram:
    """A rule that forbids shorter repetitions, over more of the text."""
    if rule is None:
        return NoRepeatNgram(ngram_size=12, window_size=_LEAST_WINDOW)
    return NoRepeatNgram(
        ngram_size=max(_LEAST_NGRAM, min(rule.ngram_size, rule.ngram_size * 3 // 5)),
        window_size=max(_LEAST_WINDOW, 5 * rule.window_size),
        allowed_tokens=rule.allowed_tokens,
    )


def another_mode(mode: Mode, trouble: Trouble) -> Mode:
    """The mode to try after this one."""
    if mode is Mode.GUNDAM and trouble == "length":
        return _MODE_AFTER_FULL_GUNDAM
    return OTHER_MODE[mode]


def repeats_itself(text: str) -> bool:
    """Whether the text's end is a loop that the engine did not take for one."""
    tail = text[-_TAIL_CHARACTERS:]
    return len(tail) == _TAIL_CHARACTERS and information(tail) < _LOOP_SHARE * len(tail)


def information(text: str) -> int:
    """How much a text says, in characters: what it says again does not count."""
    return len({text[start : start + _SAYING] for start in range(len(text))})
