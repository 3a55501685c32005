"""Tells when a decoder has begun to repeat itself. Pure, free of vLLM.

A loop shows as tokens that equal those one period earlier. Counting equal tokens at each lag,
and not asking for all of them, also finds loops that count upwards while they repeat.
"""

import numpy as np
from numpy.typing import NDArray

TAIL_LENGTH = 512
MAX_PERIOD = 128
MIN_EQUAL_SHARE = 0.95
CHECK_EVERY = 64


class RepetitionDetector:
    """Fed with the tokens of one request as they come; cheap, since it looks every 64 tokens."""

    def __init__(self) -> None:
        self._tail: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._num_unchecked = 0

    def push(self, token_ids: list[int]) -> bool:
        """Take the next tokens; True once the last 512 of them are a loop."""
        self._tail = np.concatenate([self._tail, np.asarray(token_ids, dtype=np.int64)])
        self._tail = self._tail[-TAIL_LENGTH:]
        self._num_unchecked += len(token_ids)
        if self._num_unchecked < CHECK_EVERY or len(self._tail) < TAIL_LENGTH:
            return False
        self._num_unchecked = 0
        return is_loop(self._tail)


def is_loop(tail: NDArray[np.int64], max_period: int = MAX_PERIOD) -> bool:
    """Whether these tokens repeat with some period up to max_period (at least four times).

    tail: (num_tokens,). A table whose rows differ in their figures stays well under the share.
    """
    num_compared = len(tail) - max_period
    windows = np.lib.stride_tricks.sliding_window_view(tail, num_compared)
    earlier, last = windows[:-1], windows[-1]  # (max_period, num_compared), (num_compared,)
    equal_share = (earlier == last).mean(axis=1)
    return bool(equal_share.max() >= MIN_EQUAL_SHARE)
