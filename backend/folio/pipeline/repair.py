"""Reads a page of a document, and reads it again in other ways where the answer is no good.

What is tried, and when, is in ladder.py. Nothing that the model wrote is thrown away, and no page
ends without a status.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from folio.db import PageStatus
from folio.engine.base import OcrEngine
from folio.errors import InvalidInputError
from folio.pipeline.halves import Cut, cut_in_halves
from folio.pipeline.ink import has_ink, is_almost_blank, shows_ink
from folio.pipeline.ladder import (
    Rung,
    Trouble,
    another_mode,
    ended_by_max_tokens,
    find_trouble,
    information,
    is_empty,
    next_rungs,
    stricter,
)
from folio.pipeline.page import AUTO, PageOptions, recognize_page
from folio.pipeline.results import PageResult, Usage
from folio.pipeline.stitching import stitch
from folio.preprocessing.density import BLANK_PAGE_MODE, Writing
from folio.preprocessing.resolution import Mode
from folio.preprocessing.tiling import DEFAULT_MAX_CROPS
from folio.telemetry.metrics import RUNGS

UPPER, LOWER = "upper", "lower"


@dataclass(frozen=True)
class Attempt:
    """One request to the engine. `rung` is a Rung, or "upper" or "lower" for a half.

    `is_kept` tells those that the page's result was made of. `model`: who answered, if known.
    """

    rung: str
    mode: str
    finish_reason: str
    raw_text: str
    usage: Usage
    is_kept: bool = False
    model: str | None = None


@dataclass(frozen=True)
class RepairedPage:
    """A page with its outcome. `reason` says in words what is wrong, or what was done about it.

    `reason_code` says the same for programs; docs/guides/results.md lists what it may be.
    `result` is the best answer, an empty page where there is none. Its usage is that of the
    attempts it was made of.
    """

    status: PageStatus
    reason: str | None
    result: PageResult
    attempts: tuple[Attempt, ...]
    reason_code: str | None = None


async def read_page(
    engine: OcrEngine,
    image: NDArray[np.uint8],
    options: PageOptions,
    *,
    request_id: str,
    max_crops: int = DEFAULT_MAX_CROPS,
    writing: Writing | None = None,
) -> RepairedPage:
    """Read a page until it ends well, or nothing is left to try.

    image: uint8 (height, width, 3), upright RGB. `writing` is what is on it, if measured already.
    The engine's requests are called `<request_id>:<rung>`. Cancelling aborts the one that runs.
    Raises EngineError and its kinds, RequestCanceledError, InvalidInputError.
    """
    if not (shows_ink(image) or await asyncio.to_thread(has_ink, image)):
        return _blank_page(image, options)
    return await _Climb(engine, image, options, request_id, max_crops, writing).climb()


@dataclass(frozen=True)
class _Answer:
    """A page as it was read on one rung: what is wrong with it, and the attempts it was made of."""

    rung: Rung
    page: PageResult
    trouble: Trouble | None
    attempts: range


class _Climb:
    """One page's way up the ladder, with what was answered on each rung."""

    def __init__(
        self,
        engine: OcrEngine,
        image: NDArray[np.uint8],
        options: PageOptions,
        request_id: str,
        max_crops: int,
        writing: Writing | None,
    ) -> None:
        self._engine = engine
        self._image = image
        self._options = options
        self._request_id = request_id
        self._max_crops = max_crops
        self._writing = writing
        self._attempts: list[Attempt] = []

    async def climb(self) -> RepairedPage:
        first = await self._read_whole(Rung.ASKED, self._options)
        if first.trouble is None:
            return self._end_well(first)
        if first.trouble == "empty" and await asyncio.to_thread(is_almost_blank, self._image):
            return self._finish(PageStatus.BLANK, first)
        answers = [first]
        rungs = next_rungs(first.trouble, first.page, self._options)
        options = replace(self._options, mode=first.page.mode)
        if Rung.STRICTER in rungs:
            options = replace(options, no_repeat_ngram=stricter(options.no_repeat_ngram))
        for rung in rungs:
            answer = await self._climb_to(rung, options, answers[-1].trouble)
            if answer is not None and answer.trouble is None:
                return self._end_well(answer, first.trouble)
            answers += [answer] if answer is not None else []
        return self._give_up(answers)

    async def _climb_to(
        self, rung: Rung, options: PageOptions, trouble: Trouble | None
    ) -> _Answer | None:
        """The answer on this rung; None where it cannot be tried on this page or engine."""
        assert trouble is not None, "an answer without trouble ends the climb"
        try:
            if rung is Rung.HALVES:
                return await self._read_halves(options)
            if rung is Rung.MODE:
                options = replace(options, mode=another_mode(Mode(options.mode), trouble))
            return await self._read_whole(rung, options)
        except InvalidInputError:  # our choice, not the user's: such a mode may not fit the model
            return None

    async def _read_whole(self, rung: Rung, options: PageOptions) -> _Answer:
        page = await self._ask(rung, self._image, options)
        return self._answer(rung, page, find_trouble(page, self._options), num_attempts=1)

    async def _read_halves(self, options: PageOptions) -> _Answer | None:
        cut = await asyncio.to_thread(cut_in_halves, self._image)
        if cut is None:
            return None
        # A half has less writing on it than the page, so the mode is measured anew.
        options = replace(options, mode=AUTO)
        upper = await self._ask(UPPER, cut.upper(self._image), options)
        tokens_left = options.max_tokens and options.max_tokens - upper.usage.completion_tokens
        if tokens_left is not None and tokens_left < 1:
            return None
        options = replace(options, max_tokens=tokens_left)
        lower = await self._ask(LOWER, cut.lower(self._image), options)
        page = await asyncio.to_thread(stitch, upper, lower, cut)
        trouble = find_trouble(page, self._options) or await self._find_empty(upper, lower, cut)
        return self._answer(Rung.HALVES, page, trouble, num_attempts=2)

    async def _find_empty(self, upper: PageResult, lower: PageResult, cut: Cut) -> Trouble | None:
        """A half that says nothing, and has something on it, is as lost as a page."""
        for half, image in ((upper, cut.upper(self._image)), (lower, cut.lower(self._image))):
            if is_empty(half) and not await asyncio.to_thread(is_almost_blank, image):
                return "empty"
        return None

    async def _ask(self, name: str, image: NDArray[np.uint8], options: PageOptions) -> PageResult:
        page = await recognize_page(
            self._engine,
            image,
            options,
            request_id=f"{self._request_id}:{name}",
            max_crops=self._max_crops,
            writing=self._writing if image is self._image else None,
        )
        RUNGS.labels(name).inc()
        self._attempts.append(
            Attempt(
                rung=str(name),
                mode=str(page.mode),
                finish_reason=page.finish_reason,
                raw_text=page.raw_text,
                usage=page.usage,
                model=self._engine.status.model or None,
            )
        )
        return page

    def _answer(
        self, rung: Rung, page: PageResult, trouble: Trouble | None, *, num_attempts: int
    ) -> _Answer:
        end = len(self._attempts)
        return _Answer(rung, page, trouble, range(end - num_attempts, end))

    def _end_well(self, answer: _Answer, first_trouble: Trouble | None = None) -> RepairedPage:
        if ended_by_max_tokens(answer.page, self._options):
            reason = f"The answer was cut off at max_tokens ({self._options.max_tokens})."
            return self._finish(PageStatus.TRUNCATED, answer, reason, "max_tokens")
        if first_trouble is None:
            return self._finish(PageStatus.OK, answer)
        reason = f"{_WHAT_HAPPENED[first_trouble]} {_what_helped(answer)}"
        code = f"{first_trouble}_{answer.rung}"
        return self._finish(PageStatus.RETRIED, answer, reason, code)

    def _give_up(self, answers: list[_Answer]) -> RepairedPage:
        best = choose_best(answers)
        assert best.trouble is not None, "an answer without trouble ends the climb"
        is_failed = is_empty(best.page)
        is_half = best.trouble == "empty" and not is_failed
        what = _HALF_IS_MISSING if is_half else _WHAT_IS_WRONG[best.trouble]
        status = PageStatus.FAILED if is_failed else PageStatus.TRUNCATED
        code = "half_empty" if is_half else best.trouble
        return self._finish(status, best, f"{what} {self._count_attempts()}", code)

    def _count_attempts(self) -> str:
        number = len(self._attempts)
        return "It was read once." if number == 1 else f"It was read {number} times."

    def _finish(
        self,
        status: PageStatus,
        answer: _Answer,
        reason: str | None = None,
        reason_code: str | None = None,
    ) -> RepairedPage:
        attempts = (
            replace(attempt, is_kept=index in answer.attempts)
            for index, attempt in enumerate(self._attempts)
        )
        return RepairedPage(status, reason, answer.page, tuple(attempts), reason_code)


def choose_best(answers: Sequence[_Answer]) -> _Answer:
    """Of answers none of which ended well the one that says the most; the earlier on a tie."""
    return max(answers, key=lambda answer: information(answer.page.text))


_WHAT_HAPPENED = {
    "repetition": "The model began to repeat itself",
    "length": "The answer did not come to its end",
    "empty": "The model saw nothing on the page",
}
_WHAT_IS_WRONG = {
    "repetition": "The model began to repeat itself; text after that may be missing.",
    "length": "The page has more on it than the model writes at once; its end is missing.",
    "empty": "The model answered nothing, though the page is not blank.",
}
_HALF_IS_MISSING = "The model answered nothing on one half of the page."


def _what_helped(answer: _Answer) -> str:
    return {
        Rung.ASKED: "",
        Rung.STRICTER: "until repetitions were forbidden more strictly.",
        Rung.MODE: f"until the page was read in mode {answer.page.mode}.",
        Rung.HALVES: "until the page was read in two halves.",
    }[answer.rung]


def _blank_page(image: NDArray[np.uint8], options: PageOptions) -> RepairedPage:
    height, width = image.shape[:2]
    mode = BLANK_PAGE_MODE if options.mode == AUTO else Mode(options.mode)
    result = PageResult("", "", "", (), width, height, mode, Usage(0, 0, 0), "stop")
    return RepairedPage(PageStatus.BLANK, None, result, ())
