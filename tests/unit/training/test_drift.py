"""Boxes that a network may have written: off, but as long in tokens as the right ones."""

import random

import numpy as np

from tests.unit.training.conftest import WORDS
from training.answers import Pieces
from training.atlas import Atlas
from training.batches import MAX_SLOT_BYTES, BatchArrays, BatchPlan, PageFactory
from training.drift import drift_boxes, shift_box
from training.vocabulary import DET, DET_END, PageTokenizer

LINES = 30
ANSWER: Pieces = [
    piece
    for line in range(LINES)
    for piece in ("line", (DET,), f"[[100, {200 + 20 * line}, 800, {215 + 20 * line}]]", (DET_END,))
]


def offsets(drifted: Pieces) -> list[int]:
    return [
        int(new.split(", ")[1]) - int(old.split(", ")[1])
        for old, new in zip(ANSWER, drifted, strict=True)
        if isinstance(old, str) and old.startswith("[[") and isinstance(new, str)
    ]


def test_some_answers_drift_and_others_stay() -> None:
    drifted = [drift_boxes(ANSWER, random.Random(seed), lambda *_: True) for seed in range(100)]
    num_off = sum(answer != ANSWER for answer in drifted)
    assert 40 < num_off < 80
    ends = [abs(offsets(answer)[-1]) for answer in drifted if answer != ANSWER]
    assert np.median(ends) > 40


def test_only_boxes_are_touched() -> None:
    for seed in range(20):
        drifted = drift_boxes(ANSWER, random.Random(seed), lambda *_: True)
        assert [piece for piece in drifted if not str(piece).startswith("[[")] == [
            piece for piece in ANSWER if not str(piece).startswith("[[")
        ]


def test_a_box_that_would_have_another_length_stays() -> None:
    for seed in range(20):
        assert drift_boxes(ANSWER, random.Random(seed), lambda *_: False) == ANSWER


def test_a_box_stays_on_the_page() -> None:
    assert shift_box("[[3, 10, 990, 999]]", [-20.0, 30.0]) == "[[0, 40, 970, 999]]"


def test_targets_are_right_and_what_was_written_is_as_long(
    box_atlas: Atlas, tokenizer: PageTokenizer
) -> None:
    plan = BatchPlan(index=0, mode="small", width=640, height=640)
    arrays = BatchArrays.in_buffer(memoryview(bytearray(MAX_SLOT_BYTES)), plan)
    PageFactory(box_atlas, WORDS, tokenizer).fill(plan, arrays, "0")
    is_off = arrays.ids != arrays.written
    assert is_off.any()
    for row, (start, end) in zip(is_off, arrays.spans, strict=True):
        assert not row[:start].any()
        assert not row[end:].any()
