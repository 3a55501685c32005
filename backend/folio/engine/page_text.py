"""A page's text as it comes out of vLLM, piece by piece."""

from collections.abc import Sequence
from typing import Protocol

from folio.engine.base import FinishReason, GenerationOutput, GenerationRequest
from folio.engine.repetition import RepetitionDetector


class Delta(Protocol):
    """vLLM's CompletionOutput of kind DELTA."""

    text: str
    token_ids: Sequence[int]
    finish_reason: FinishReason | None


class PageText:
    """Adds up the deltas of one request, and looks out for a loop."""

    def __init__(self, request: GenerationRequest, num_prompt_tokens: int) -> None:
        self._image_tokens = request.resolution.num_image_tokens
        self._prompt_tokens = num_prompt_tokens
        self._completion_tokens = 0
        self._text = ""
        self._detector = RepetitionDetector()

    def add(self, delta: Delta) -> GenerationOutput:
        """All of the text so far, with the delta."""
        self._text += delta.text
        self._completion_tokens += len(delta.token_ids)
        finish_reason = delta.finish_reason
        if finish_reason is None and self._detector.push(list(delta.token_ids)):
            finish_reason = "repetition"
        return GenerationOutput(
            text=self._text,
            prompt_tokens=self._prompt_tokens,
            image_tokens=self._image_tokens,
            completion_tokens=self._completion_tokens,
            finish_reason=finish_reason,
        )
