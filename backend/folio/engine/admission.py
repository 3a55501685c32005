"""The bounded queue before the engine. Knows nothing of vLLM."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from folio.errors import EngineOverloadedError

_SMOOTHING = 0.2  # weight of the newest request in the running mean


class Admission:
    """Counts the requests inside the engine and refuses those beyond the limit."""

    def __init__(self, max_requests: int, num_parallel: int) -> None:
        self.max_requests = max_requests
        self._num_parallel = num_parallel
        self._num_requests = 0
        self._mean_seconds = 1.0

    @property
    def num_requests(self) -> int:
        """Requests admitted and not finished."""
        return self._num_requests

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place for the duration of a request. Raises EngineOverloadedError if full."""
        if self._num_requests >= self.max_requests:
            raise EngineOverloadedError(
                f"{self._num_requests} pages are waiting already. Send the page again later, "
                "or raise MAX_QUEUED_REQUESTS.",
                retry_after_seconds=self._seconds_to_a_free_place(),
            )
        self._num_requests += 1
        started = time.monotonic()
        try:
            yield
        finally:
            self._num_requests -= 1
            self._mean_seconds += _SMOOTHING * (time.monotonic() - started - self._mean_seconds)

    def _seconds_to_a_free_place(self) -> int:
        # The mean includes the wait in the queue, so it bounds the time until one leaves.
        return max(1, math.ceil(self._mean_seconds / self._num_parallel))
