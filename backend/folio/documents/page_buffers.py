"""Memory for the pixels of pages, used again and again.

A page of 6 MB in fresh memory costs the kernel 5 ms to hand out, ten times what it takes to copy
the page into memory that was used before.
"""

import weakref
from collections import deque

import numpy as np
from numpy.typing import NDArray

_MAX_FREE = 4  # buffers that wait for their next page
_MAX_KEPT_BYTES = 16 * 1024 * 1024  # larger ones are rare, and go back to the system
_GRAIN_BYTES = 1024 * 1024
_MAX_WASTE = 2  # a buffer may be so many times as large as its page


class PageBuffers:
    """Gives arrays whose memory comes back by itself when nobody holds them any more."""

    def __init__(self) -> None:
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=_MAX_FREE)

    def copy(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same pixels in memory of ours: uint8, of the same shape."""
        buffer = self._take(pixels.nbytes)
        # All that is made of the page holds the array that frombuffer() makes, and it alone holds
        # the buffer.
        page = np.frombuffer(buffer.data, np.uint8, pixels.nbytes).reshape(pixels.shape)
        owner = page.base
        assert isinstance(owner, np.ndarray), "reshape() makes a view"
        np.copyto(page, pixels)
        if buffer.nbytes <= _MAX_KEPT_BYTES:
            weakref.finalize(owner, self._free.append, buffer).atexit = False
        return page

    def _take(self, num_bytes: int) -> NDArray[np.uint8]:
        for _ in range(len(self._free)):
            try:
                buffer = self._free.popleft()
            except IndexError:
                break
            if num_bytes <= buffer.nbytes <= max(_MAX_WASTE * num_bytes, _GRAIN_BYTES):
                return buffer
            self._free.append(buffer)
        return np.empty(-(-num_bytes // _GRAIN_BYTES) * _GRAIN_BYTES, np.uint8)
