"""Reads one page: options -> mode and prompt -> engine -> blocks, Markdown and text."""

import asyncio
import uuid
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from folio.engine.base import GenerationOutput, GenerationRequest, NoRepeatNgram, OcrEngine
from folio.errors import EngineNotReadyError, InvalidInputError
from folio.pipeline.grounding import parse_grounding, ungrounded
from folio.pipeline.markdown import to_markdown, to_plain_text
from folio.pipeline.prompts import IMAGE_NO_REPEAT_NGRAM, Task, build_prompt, is_grounded
from folio.pipeline.results import PageResult, Usage
from folio.preprocessing.density import Writing, choose_mode, measure_writing
from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.tiling import DEFAULT_MAX_CROPS

AUTO = "auto"
MODES: tuple[str, ...] = (AUTO, *Mode)
MAX_TOKENS = 8192  # the published model's whole context

_REFS_HOLD_TEXT = {Task.MARKDOWN: False, Task.OCR: True, Task.LOCATE: True}


@dataclass(frozen=True)
class PageOptions:
    """What a user asks for. Checked when made: raises InvalidInputError, naming what is allowed.

    `max_tokens` None leaves the limit to the engine.
    """

    mode: str = AUTO
    task: str = Task.MARKDOWN
    query: str | None = None
    prompt: str | None = None
    max_tokens: int | None = None
    no_repeat_ngram: NoRepeatNgram | None = IMAGE_NO_REPEAT_NGRAM

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, MODES)
        _check_choice("task", self.task, tuple(Task))
        if self.max_tokens is not None and not 1 <= self.max_tokens <= MAX_TOKENS:
            raise InvalidInputError(
                f"max_tokens is {self.max_tokens}; it must be a number from 1 to {MAX_TOKENS:,}."
            )
        self.build_prompt()

    def build_prompt(self) -> str:
        """The model's prompt, with exactly one `<image>` in it."""
        return build_prompt(Task(self.task), query=self.query, prompt=self.prompt)


@dataclass(frozen=True)
class PageRequest:
    """A page ready for the engine, with what reading the answer needs to know."""

    generation: GenerationRequest
    mode: Mode
    task: Task


async def recognize_page(
    engine: OcrEngine,
    image: NDArray[np.uint8],
    options: PageOptions,
    *,
    request_id: str | None = None,
    max_crops: int = DEFAULT_MAX_CROPS,
    writing: Writing | None = None,
) -> PageResult:
    """Read a page. image: uint8 (height, width, 3), upright RGB. `writing`: if measured already.

    Cancelling the call aborts the request in the engine. Raises EngineError and its kinds.
    """
    if writing is None and options.mode == AUTO:
        # Measuring a large scan takes milliseconds that the event loop does not have.
        writing = await asyncio.to_thread(measure_writing, image)
    request = prepare_page(
        image, options, request_id=request_id, max_crops=max_crops, writing=writing
    )
    last: GenerationOutput | None = None
    async with aclosing(engine.generate(request.generation)) as outputs:
        async for output in outputs:
            last = output
    if last is None or last.finish_reason is None:
        raise EngineNotReadyError("The engine stopped in the middle of the page. Try again.")
    # A hostile answer of 8,192 tags takes some 50 ms to read.
    return await asyncio.to_thread(read_answer, request, last)


def prepare_page(
    image: NDArray[np.uint8],
    options: PageOptions,
    *,
    request_id: str | None = None,
    max_crops: int = DEFAULT_MAX_CROPS,
    writing: Writing | None = None,
) -> PageRequest:
    """Choose the mode and write the request. With `read_answer` the two ends of a stream."""
    height, width = image.shape[:2]
    mode = choose_mode(image, writing) if options.mode == AUTO else Mode(options.mode)
    generation = GenerationRequest(
        request_id=request_id or uuid.uuid4().hex,
        image=image,
        prompt=options.build_prompt(),
        resolution=resolve(mode, width, height, max_crops=max_crops),
        max_tokens=options.max_tokens,
        no_repeat_ngram=options.no_repeat_ngram,
    )
    return PageRequest(generation, mode, Task(options.task))


def read_answer(request: PageRequest, output: GenerationOutput) -> PageResult:
    """What the page says by the model's answer; a stream's partial answer counts as stopped."""
    height, width = request.generation.image.shape[:2]
    if is_grounded(request.generation.prompt):
        refs_hold_text = _REFS_HOLD_TEXT.get(request.task)
        blocks = parse_grounding(output.text, width, height, refs_hold_text=refs_hold_text)
    else:
        blocks = ungrounded(output.text)
    return PageResult(
        text=to_plain_text(blocks),
        markdown=to_markdown(blocks),
        raw_text=output.text,
        blocks=tuple(blocks),
        width=width,
        height=height,
        mode=request.mode,
        usage=Usage(output.prompt_tokens, output.image_tokens, output.completion_tokens),
        finish_reason=output.finish_reason or "stop",
    )


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInputError(
            f"Unknown {name} {value[:40]!r}. Choose one of: {', '.join(allowed)}."
        )
