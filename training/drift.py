"""What a network has written of boxes that counts on from the last one instead of looking.

Lines follow each other evenly, so the boxes above say nearly where the next one is; a network that
trusts them is further off with every line. Shown such boxes, with the right ones to write, it has
to look.
"""

import random
from collections.abc import Callable

from training.answers import MAX_COORDINATE, Pieces
from training.vocabulary import DET

DRIFTING_SHARE = 0.6
# In thousandths of the page: how far off the first box is, and each further one beside the last.
START, STEP, LARGEST = (10.0, 40.0), (1.5, 6.0), (60.0, 150.0)


def drift_boxes(
    answer: Pieces, rng: random.Random, is_as_long: Callable[[str, str], bool]
) -> Pieces:
    """The answer with boxes that are further and further off, each still a box of the page.

    is_as_long: whether two texts have as many tokens; where they have not the box stays.
    """
    if rng.random() > DRIFTING_SHARE:
        return answer
    offset = [rng.gauss(0, START[axis]) if rng.random() < 0.4 else 0.0 for axis in (0, 1)]
    trend = [rng.gauss(0, STEP[axis]) for axis in (0, 1)]
    drifted: Pieces = []
    for before, piece in zip([None, *answer], answer, strict=False):
        if before == (DET,) and isinstance(piece, str):
            box = shift_box(piece, offset)
            drifted.append(box if is_as_long(piece, box) else piece)
            for axis in (0, 1):
                moved = offset[axis] + trend[axis] + rng.gauss(0, STEP[axis] / 2)
                offset[axis] = max(-LARGEST[axis], min(LARGEST[axis], moved))
        else:
            drifted.append(piece)
    return drifted


def shift_box(text: str, offset: list[float]) -> str:
    """text: `[[x0, y0, x1, y1]]`; offset: along x and along y."""
    numbers = (int(number) for number in text.strip("[]").split(", "))
    shifted = (
        min(MAX_COORDINATE, max(0, round(number + offset[index % 2])))
        for index, number in enumerate(numbers)
    )
    return "[[" + ", ".join(map(str, shifted)) + "]]"
