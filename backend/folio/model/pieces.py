"""Tokens of a page that is being written, handed over in pieces instead of step by step.

Nobody reads along: what the engine core reports is looked at for loops, every 64 tokens. A message
for each page and step costs the core to write, and the event loop in front of all cores to read.

Importing this does not import vLLM.
"""

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm.v1.engine import EngineCoreOutput

TOKENS_PER_PIECE = "folio_tokens_per_piece"
"""The least tokens of a piece, but for a page's first and its last: a key of vLLM's
`additional_config`."""


class Pieces:
    """Keeps back what is not a piece yet. A page's first token goes at once, and its last ones."""

    def __init__(self, num_tokens: int) -> None:
        self._num_tokens = num_tokens
        self._kept: dict[str, list[int]] = {}

    def take_due(self, outputs: "list[EngineCoreOutput]") -> "list[EngineCoreOutput]":
        """Those that are to be sent now, with the tokens that were kept back before."""
        return [output for output in outputs if self._is_due(output)]

    def _is_due(self, output: "EngineCoreOutput") -> bool:
        kept = self._kept.pop(output.request_id, None)
        is_first, is_last = kept is None, output.finish_reason is not None
        output.new_token_ids = tokens = [*(kept or ()), *output.new_token_ids]
        if is_last:
            return True
        # vLLM counts by events (that a page has to make room for others, say): none is dropped.
        is_due = is_first or bool(output.events) or len(tokens) >= self._num_tokens
        self._kept[output.request_id] = [] if is_due else tokens
        return is_due

    def forget_all_but(self, running: Container[str]) -> None:
        """Requests that were aborted say no more."""
        for request_id in [each for each in self._kept if each not in running]:
            del self._kept[request_id]
