"""How large and dense a page's writing is, and the cheapest mode that still resolves it."""

import numpy as np
from numpy.typing import NDArray

from folio.preprocessing.resolution import Mode


def choose_mode(image: NDArray[np.uint8]) -> Mode:
    """The cheapest mode for this page. image: uint8 (height, width, 3)."""
    is_blank = int(np.ptp(image[::4, ::4])) < 16
    return Mode.TINY if is_blank else Mode.GUNDAM
