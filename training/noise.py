"""Single wrong tokens in what a network has written, so that it learns to trust the page."""

import numpy as np

from training.vocabulary import DET, DET_END, SPECIAL_TOKENS, VOCABULARY_SIZE

# Of what it has written, and of what it has written of boxes beside those that drift (drift.py).
CORRUPTED_SHARE, CORRUPTED_BOX_SHARE = 0.05, 0.15
# Of the wrong tokens within words, those that stand elsewhere in the same answer: less easily told
# from right ones than any of the vocabulary.
NATIVE_SHARE = 0.5
DET_ID, DET_END_ID = SPECIAL_TOKENS.index(DET), SPECIAL_TOKENS.index(DET_END)


def is_in_box(ids: np.ndarray) -> np.ndarray:
    """Between the tags of a box. ids: (pages, tokens)."""
    depth = np.cumsum((ids == DET_ID).astype(np.int8) - (ids == DET_END_ID), axis=1)
    return (depth > 0) & (ids != DET_ID)


def corrupt(
    ids: np.ndarray,
    spans: np.ndarray,
    corruption: float,
    rng: np.random.Generator,
    begins_word: np.ndarray,
) -> np.ndarray:
    """ids: int (pages, tokens); spans: (pages, 2), where each answer begins and ends; corruption:
    how much of the usual shares is wrong; begins_word: bool, of each token of the vocabulary."""
    if corruption == 0:
        return ids
    index = np.arange(ids.shape[1])
    is_answer = (index >= spans[:, :1]) & (index < spans[:, 1:])
    ids = corrupt_boxes(ids, is_answer, corruption, rng)
    is_wrong = is_answer & (rng.random(ids.shape, np.float32) < CORRUPTED_SHARE * corruption)
    return np.where(is_wrong, draw_noise(ids, spans, rng, begins_word), ids)


def draw_noise(
    ids: np.ndarray, spans: np.ndarray, rng: np.random.Generator, begins_word: np.ndarray
) -> np.ndarray:
    """For each token one that is no tag: of the same answer, or of the vocabulary. No word of the
    same answer begins here: such a one is out of place (slips.py), and the right one still to
    come, while of single wrong tokens it goes on behind them."""
    first, last = spans[:, :1].astype(np.int64), spans[:, 1:].astype(np.int64)
    places = first + (rng.random(ids.shape, np.float32) * (last - first)).astype(np.int64)
    native = np.take_along_axis(ids, places.clip(max=ids.shape[1] - 1), axis=1)
    foreign = rng.integers(len(SPECIAL_TOKENS), VOCABULARY_SIZE, ids.shape, ids.dtype)
    is_native = (rng.random(ids.shape, np.float32) < NATIVE_SHARE) & (native >= len(SPECIAL_TOKENS))
    return np.where(is_native & ~begins_word[native] & ~begins_word[ids], native, foreign)


def corrupt_boxes(
    ids: np.ndarray, is_answer: np.ndarray, corruption: float, rng: np.random.Generator
) -> np.ndarray:
    """Some tokens between the tags of a box become those of other boxes of the batch."""
    is_box = is_answer & is_in_box(ids)
    is_wrong = is_box & (rng.random(ids.shape, np.float32) < CORRUPTED_BOX_SHARE * corruption)
    corrupted = ids.copy()
    if is_wrong.any():
        corrupted[is_wrong] = rng.choice(ids[is_box], np.count_nonzero(is_wrong))
    return corrupted
