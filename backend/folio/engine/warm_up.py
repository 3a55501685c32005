"""Pages that a GPU reads before anybody waits for one. Knows nothing of vLLM.

Kernels are compiled for the kinds of sizes that they meet, a second each: of a step with one page,
and of one with many. Without this the first users would wait for that.
"""

from collections.abc import Iterator

import numpy as np

from folio.engine.base import GenerationRequest
from folio.preprocessing.resolution import Mode, resolve

A4_AT_150_DPI = (1240, 1754)
# Together more tokens than half a step has: the decoder's kernels are chosen by that.
ROUNDS = (1, 16)
NUM_TOKENS = 4


def warm_up_rounds(*, max_crops: int, most: int) -> Iterator[list[GenerationRequest]]:
    """Requests to read at once, round by round; `most`: so many may be."""
    width, height = A4_AT_150_DPI
    resolution = resolve(Mode.GUNDAM, width, height, max_crops=max_crops)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for number, num_pages in enumerate(ROUNDS):
        yield [
            GenerationRequest(
                f"warm-up:{number}:{page}",
                noise,
                "<image>\nFree OCR.",
                resolution,
                max_tokens=NUM_TOKENS,
            )
            for page in range(min(num_pages, most))
        ]
