"""How glibc's heap deals with memory that is freed. See mallopt(3); elsewhere nothing happens.

A page's pixels go back to the system when they are freed, and the next page's are fresh again: the
kernel takes longer to hand them out than MuPDF to draw a page of text (A4 at 144 dpi: 2 ms; what
decoding a scan takes: 16 ms).
"""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MEBIBYTE = 1024 * 1024
_MAX_HEAP_BLOCK = 32 * _MEBIBYTE  # the most that glibc takes
_MAX_KEPT = 64 * _MEBIBYTE


def keep_freed_memory() -> None:
    """Keep what a page took for the next one."""
    _set(_M_MMAP_THRESHOLD, _MAX_HEAP_BLOCK)
    _set(_M_TRIM_THRESHOLD, _MAX_KEPT)


def share_heap_among_threads(*, max_heaps: int) -> None:
    """glibc gives every thread a heap of its own, and each keeps what its largest page took: 60 MB
    of a worker's 600."""
    _set(_M_ARENA_MAX, max_heaps)


def _set(parameter: int, value: int) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(parameter, value)
