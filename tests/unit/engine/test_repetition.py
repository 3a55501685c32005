"""A decoder that repeats itself is noticed, an honest page is not."""

import random

import numpy as np
import pytest

from folio.engine.repetition import TAIL_LENGTH, RepetitionDetector, is_loop


def _push_all(tokens: list[int], piece: int = 8) -> int | None:
    """Feed the tokens in pieces as the engine does; how many were pushed when it said loop."""
    detector = RepetitionDetector()
    for start in range(0, len(tokens), piece):
        if detector.push(tokens[start : start + piece]):
            return start + piece
    return None


@pytest.mark.parametrize("period", [1, 2, 7, 30, 61, 128])
def test_exact_loop_is_found_within_its_tail_and_one_check(period: int) -> None:
    prefix = [1000 + i for i in range(700)]
    pattern = list(range(period))
    tokens = prefix + pattern * (1200 // period + 1)
    stopped_at = _push_all(tokens)
    assert stopped_at is not None
    assert stopped_at <= len(prefix) + TAIL_LENGTH + 64


def test_loop_that_counts_upwards_is_found() -> None:
    row = list(range(100, 140))
    tokens = [token for n in range(40) for token in [*row, 1000 + n]]
    assert _push_all(tokens) is not None


def test_random_text_is_no_loop() -> None:
    rng = random.Random(1)
    assert _push_all([rng.randrange(200) for _ in range(5000)]) is None


def test_table_whose_figures_differ_is_no_loop() -> None:
    rng = random.Random(2)
    open_cell, close_cell, open_row, close_row = range(4)
    tokens = []
    for _ in range(150):
        cells = [[open_cell, 10 + rng.randrange(100), close_cell] for _ in range(4)]
        tokens += [open_row, *(token for cell in cells for token in cell), close_row]
    assert _push_all(tokens) is None


def test_text_shorter_than_the_tail_is_never_a_loop() -> None:
    assert _push_all([5] * (TAIL_LENGTH - 8)) is None


def test_a_period_beyond_the_limit_is_no_loop() -> None:
    assert not is_loop(np.arange(TAIL_LENGTH) % 200)
