"""What an engine is: one page image and a prompt in, text as a stream out.

Knows nothing of documents, tasks or HTTP.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from folio.preprocessing.resolution import Resolution

FinishReason = Literal["stop", "length", "repetition"]


@dataclass(frozen=True)
class NoRepeatNgram:
    """Forbid a token that would repeat an n-gram of this size within the last window tokens."""

    ngram_size: int
    window_size: int
    allowed_tokens: tuple[str, ...] = ("<td>", "</td>")


@dataclass(frozen=True)
class GenerationRequest:
    """One page to read. image: uint8 (height, width, 3), upright RGB.

    `prompt` holds the text with one `<image>` in it; the engine adds the beginning-of-sequence.
    """

    request_id: str
    image: NDArray[np.uint8]
    prompt: str
    resolution: Resolution
    max_tokens: int | None = None
    no_repeat_ngram: NoRepeatNgram | None = field(default_factory=lambda: NoRepeatNgram(30, 90))


@dataclass(frozen=True)
class GenerationOutput:
    """The text so far. `finish_reason` is set on the last output of a stream only."""

    text: str
    prompt_tokens: int
    image_tokens: int
    completion_tokens: int
    finish_reason: FinishReason | None = None


class EngineState(StrEnum):
    """Where an engine is in its life."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class EngineStatus:
    """The engine's state, the model it serves, when unhealthy why (`reason_code` for programs), and
    how busy it is.

    `needs_mending`: it cannot start before somebody mends its set-up. `is_given_up`: it will not
    get well by itself, and whoever runs it had better end the process. `engines`: the state of
    each, where they are several: together healthy as long as one is, with a `reason` where another
    is not.
    """

    state: EngineState
    model: str
    reason: str | None = None
    num_requests: int = 0
    needs_mending: bool = False
    is_given_up: bool = False
    engines: tuple[EngineState, ...] = ()
    reason_code: str | None = None


class OcrEngine(Protocol):
    """Turns pages into text. One instance serves any number of requests at once."""

    @property
    def status(self) -> EngineStatus: ...

    async def start(self) -> None:
        """Load the model. Returns when it is ready; a failure is kept in `status`."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """Stream the page's text. Closing the generator aborts the request.

        Raises EngineNotReadyError, EngineOverloadedError, InvalidInputError.
        """

    async def stop(self) -> None:
        """Abort what runs and free the engine. Safe to call twice."""
