import random
from itertools import islice

import pytest

from tests.unit.training.conftest import WORDS
from training.corpus import MAX_WORD_LENGTH, Corpus
from training.novel_words import make_novel, misspell, splice
from training.splits import is_held_out_word

LISTED = {word for words in WORDS.values() for word in words}


def novel_words(
    share: float, *, words: dict[str, list[str]] = WORDS, count: int = 400
) -> list[str]:
    corpus = Corpus(words, random.Random(1), novel_share=share)
    return [corpus.word() for _ in range(count)]


def test_one_word_in_so_many_is_of_no_list() -> None:
    novel = [word for word in novel_words(0.5) if word not in LISTED]
    # A tenth of those made would be held out, and some splices are a listed word again.
    assert 0.3 < len(novel) / 400 < 0.5
    assert len(set(novel)) > 60


def test_without_a_share_no_word_changes_and_nothing_is_drawn() -> None:
    rng = random.Random(1)
    assert novel_words(0.0) == [rng.choice(WORDS["en"]) for _ in range(400)]


def test_no_held_out_word_is_made() -> None:
    long_lists = {"en": ["harbour", "keystone", "understand", "overlook", "handwork"]}
    listed = long_lists["en"]
    made = {w for w in novel_words(1.0, words=long_lists, count=4000) if w not in listed}
    assert len(made) > 500
    assert not any(map(is_held_out_word, made))


def test_neighbouring_letters_change_places() -> None:
    made = {misspell("harbour", "stone", random.Random(seed)) for seed in range(300)}
    assert {"hrabour", "harbuor"} <= made  # swapped
    assert {
        "hrbour",
        "harrbour",
        "hanbour",
        "hasrbour",
    } <= made  # dropped, doubled, replaced, added
    assert all(word[0] == "h" for word in made)


def test_a_splice_begins_as_one_word_and_ends_as_the_other() -> None:
    for seed in range(50):
        word = splice("harbour", "keystone", random.Random(seed))
        assert word.startswith("ha")
        assert word.endswith("ne")


@pytest.mark.parametrize("word", ["an", "où", "été"])
def test_short_words_stay(word: str) -> None:
    assert make_novel(word, "harbour", random.Random(0), max_length=MAX_WORD_LENGTH) == word


def test_no_word_grows_too_long() -> None:
    pair = "misunderstandings", "counterweights"
    for seed in range(200):
        assert len(make_novel(*pair, random.Random(seed), max_length=17)) <= 17


def test_sentences_have_novel_words_too() -> None:
    sentences = Corpus(WORDS, random.Random(1), novel_share=0.5).stream("sentences")
    letters = [word.strip('.,;:?!…()"').lower() for word in islice(sentences, 200)]
    spliced = [word for word in letters if word.startswith("harb") and word != "harbour"]
    assert spliced
