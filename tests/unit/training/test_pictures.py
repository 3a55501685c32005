import random

import numpy as np
import pytest

from training.pictures import KINDS, LIGHTEST, Ground, make_picture


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_is_nowhere_as_light_as_paper(seed: int) -> None:
    ink = make_picture(40, 90, random.Random(seed))
    assert ink.shape == (40, 90)
    assert ink.min() >= LIGHTEST
    assert ink.max() <= 255


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_picture_has_more_than_one_tone(kind) -> None:
    values = np.broadcast_to(kind(Ground(64, 128), random.Random(3)), (64, 128))
    assert np.ptp(values) > 0.1
