"""Single wrong tokens in what was written."""

import numpy as np

from training.noise import DET_END_ID, DET_ID, corrupt, corrupt_boxes, is_in_box
from training.vocabulary import SPECIAL_TOKENS, VOCABULARY_SIZE

TEXT, NUMBER = 100, 200
WITHIN_WORDS = np.zeros(VOCABULARY_SIZE, bool)


def spans_of(ids: np.ndarray, start: int = 0) -> np.ndarray:
    return np.array([[start, ids.shape[1]]] * len(ids), np.int16)


def test_boxes_weigh_more_than_text() -> None:
    ids = np.array([[TEXT, DET_ID, NUMBER, NUMBER + 1, DET_END_ID, TEXT]])
    assert is_in_box(ids).tolist() == [[False, False, True, True, False, False]]


def test_written_boxes_are_corrupted_with_parts_of_other_boxes() -> None:
    row = [TEXT] * 4 + [DET_ID, *range(NUMBER, NUMBER + 8), DET_END_ID] + [TEXT] * 4
    ids = np.array([row] * 200, np.int16)
    is_answer = np.ones_like(ids, bool)
    is_answer[:, :6] = False
    corrupted = corrupt_boxes(ids, is_answer, 1.0, np.random.default_rng(0))
    is_changed = corrupted != ids
    assert 0.08 < is_changed[:, 6:13].mean() < 0.18
    assert not is_changed[:, :6].any()
    assert not is_changed[:, 13:].any()
    assert set(corrupted[is_changed].tolist()) <= set(range(NUMBER, NUMBER + 8))


def test_pages_without_boxes_keep_theirs() -> None:
    ids = np.full((3, 9), TEXT, np.int16)
    rng = np.random.default_rng(0)
    assert np.array_equal(corrupt_boxes(ids, np.ones_like(ids, bool), 1.0, rng), ids)


def test_wrong_tokens_are_of_the_answer_or_of_the_vocabulary_and_never_tags() -> None:
    ids = np.array([[7, 7, *range(TEXT, TEXT + 40), 8]] * 300, np.int16)
    corrupted = corrupt(ids, spans_of(ids, 2), 1.0, np.random.default_rng(0), WITHIN_WORDS)
    wrong = corrupted[corrupted != ids]
    assert 0.03 < len(wrong) / ids.size < 0.07
    assert wrong.min() >= len(SPECIAL_TOKENS)
    assert 0.3 < ((wrong >= TEXT) & (wrong < TEXT + 40)).mean() < 0.7
    assert np.array_equal(corrupted[:, :2], ids[:, :2])


def test_no_word_of_the_same_answer_takes_the_place_of_another() -> None:
    ids = np.array([list(range(TEXT, TEXT + 40))] * 300, np.int16)
    begins_word = np.zeros(VOCABULARY_SIZE, bool)
    begins_word[TEXT : TEXT + 40 : 2] = True
    corrupted = corrupt(ids, spans_of(ids), 1.0, np.random.default_rng(0), begins_word)
    is_native = (corrupted != ids) & (corrupted >= TEXT) & (corrupted < TEXT + 40)
    # Some are drawn from the vocabulary by chance.
    assert is_native[:, 1::2].mean() > 5 * is_native[:, ::2].mean()


def test_without_corruption_nothing_is_changed() -> None:
    ids = np.array([[TEXT, DET_ID, *range(NUMBER, NUMBER + 60), DET_END_ID]] * 20, np.int16)
    rng = np.random.default_rng(0)
    assert np.array_equal(corrupt(ids, spans_of(ids), 0.0, rng, WITHIN_WORDS), ids)
