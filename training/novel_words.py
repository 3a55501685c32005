"""Words of no list: with listed ones alone the network recalls words instead of reading letters.

The weights of seed 79, never shown such, read pages in which two neighbouring letters of each long
word had changed places with 7.4 errors in a hundred characters, and the same words right with 0.5.
"""

import random

MIN_LENGTH = 4
# Heads and tails of two words make one that could be a word; the others are slips of a typist.
SPLICED_SHARE = 0.45
CHANGES = ("swap", "drop", "double", "replace", "insert")
CHANGE_WEIGHTS = (45, 15, 12, 16, 12)


def make_novel(word: str, other: str, rng: random.Random, *, max_length: int) -> str:
    """A word of the letters of these two. Words of few letters stay as they are."""
    if min(len(word), len(other)) < MIN_LENGTH:
        return word
    if rng.random() < SPLICED_SHARE:
        return splice(word, other, rng)[:max_length]
    misspelt = misspell(word, other, rng)
    if len(word) > 2 * MIN_LENGTH and rng.random() < 0.4:
        misspelt = misspell(misspelt, other, rng)
    return misspelt[:max_length]


def splice(word: str, other: str, rng: random.Random) -> str:
    return word[: rng.randint(2, len(word) - 1)] + other[rng.randint(1, len(other) - 2) :]


def misspell(word: str, other: str, rng: random.Random) -> str:
    """With one change behind the first letter."""
    change = rng.choices(CHANGES, CHANGE_WEIGHTS)[0]
    at, letter = rng.randrange(1, len(word) - 1), rng.choice(other)
    before, here, after = word[:at], word[at], word[at + 1 :]
    if change == "swap":
        return before + after[0] + here + after[1:]
    if change == "drop":
        return before + after
    if change == "double":
        return before + here + here + after
    return before + letter + (after if change == "replace" else here + after)
