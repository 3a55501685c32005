"""What a network has written of text once it has lost its place on the page, and how it goes on.

In training all that was written so far is right. In reading, one word of the line below is enough:
its neighbours fit what stands there, and the rest of the line is lost. Shown such words, with the
right ones to write next, the network has to look where its own line goes on.

Only what is written is wrong. What shall be written next is right, or left open (PAD_ID) where more
than one continuation would be.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from training.vocabulary import PAD_ID, SPECIAL_TOKENS

# Pages with slips, and the mean number of tokens from one to the next on these.
SLIPPING_SHARE, MEAN_GAP = 0.5, 80.0
# Lines from the right one to that whose words are written instead.
STEPS, STEP_WEIGHTS = (1, -1, 2, -2), (60, 25, 10, 5)
# Tokens between the same place in another line and the word there.
TOLERANCE = 5


@dataclass(frozen=True)
class Slip:
    """At a token: others are written before it, or some from it on are not written.

    returns: whether the right text goes on after each word of what was inserted, or only after all.
    """

    at: int
    inserted: list[int] = field(default_factory=list)
    num_omitted: int = 0
    returns: bool = True


class Script:
    """The tokens of an answer and where its words and lines begin.

    blanks: tokens that begin with a blank. is_by_line: whether each printed line is one of the
    answer's; else line_length says how many tokens one has about.
    """

    def __init__(
        self,
        ids: list[int],
        *,
        blanks: frozenset[int],
        newline: int,
        is_by_line: bool,
        line_length: int,
    ) -> None:
        self.ids, self.blanks, self.newline = ids, blanks, newline
        self.line_length = line_length
        self.words = [index for index, token in enumerate(ids) if token in blanks]
        ends = [index + 1 for index, token in enumerate(ids) if token == newline]
        self.lines = [0, *ends, len(ids)] if is_by_line else []

    def line_of(self, at: int) -> int:
        return bisect_right(self.lines, at) - 1

    def shifted(self, at: int, step: int) -> int | None:
        """The same place some lines further down (or up), in tokens."""
        if not self.lines:
            return at + step * self.line_length
        line = self.line_of(at)
        if not 0 <= line + step < len(self.lines) - 1:
            return None
        return at - self.lines[line] + self.lines[line + step]

    def word_near(self, place: int) -> int | None:
        """The number of the word that begins nearest to a token."""
        number = bisect_left(self.words, place)
        near = [n for n in (number - 1, number) if 0 <= n < len(self.words)]
        best = min(near, key=lambda n: abs(self.words[n] - place), default=None)
        return best if best is not None and abs(self.words[best] - place) <= TOLERANCE else None

    def words_from(self, number: int, count: int) -> list[int]:
        """Tokens of some words, as far as they stand in one line and outside of tags."""
        end = self.words[number + count] if number + count < len(self.words) else len(self.ids)
        tokens = self.ids[self.words[number] : end]
        is_end = (token == self.newline or token < len(SPECIAL_TOKENS) for token in tokens)
        return tokens[: next((index for index, ends in enumerate(is_end) if ends), len(tokens))]


def slip(
    written: list[int],
    right: list[int],
    script: Script,
    rng: random.Random,
    *,
    corruption: float = 1.0,
) -> tuple[list[int], list[int]]:
    """What may have been written, and at each of its tokens what should have been (PAD_ID: that is
    open). written and right are as long, token by token; they differ where boxes drift. corruption:
    how much of the usual share of pages slips."""
    if rng.random() >= SLIPPING_SHARE * corruption:
        return written, right
    new_written: list[int] = []
    new_right: list[int] = []
    done = 0
    for drawn in draw_slips(script, rng):
        if drawn.at < done:
            continue
        new_written += written[done : drawn.at]
        new_right += right[done : drawn.at]
        shown, wanted, done = (
            insert(drawn, right, script) if drawn.inserted else omit(drawn, written, right)
        )
        new_written += shown
        new_right += wanted
    return new_written + written[done:], new_right + right[done:]


def draw_slips(script: Script, rng: random.Random) -> list[Slip]:
    """In the order of their places."""
    slips = []
    place = rng.expovariate(1 / MEAN_GAP)
    while place < len(script.ids):
        kind = rng.choices(KINDS, KIND_WEIGHTS)[0]
        drawn = kind(script, int(place), rng)
        if drawn is not None:
            slips.append(drawn)
        place += 1 + rng.expovariate(1 / MEAN_GAP)
    return sorted(slips, key=lambda drawn: drawn.at)


def insert(drawn: Slip, right: list[int], script: Script) -> tuple[list[int], list[int], int]:
    """What is written and wanted of a slip, and the token at which the answer goes on: not at its
    place where the last of what was inserted happens to be the right text's first."""
    wanted: list[int] = []
    num_matched = 0
    for index, token in enumerate(drawn.inserted):
        is_start = index == 0 or (drawn.returns and token in script.blanks)
        is_known = num_matched > 0 or is_start
        wanted.append(right[drawn.at + num_matched] if is_known else PAD_ID)
        num_matched = num_matched + 1 if token == wanted[-1] else 0
    return drawn.inserted, wanted, drawn.at + num_matched


def omit(drawn: Slip, written: list[int], right: list[int]) -> tuple[list[int], list[int], int]:
    """As long as what is written is what should have been, nothing is known of the slip yet."""
    wanted: list[int] = []
    done = drawn.at + drawn.num_omitted
    for token in right[drawn.at :]:
        if done == len(right):
            break
        wanted.append(token)
        done += 1
        if right[done - 1] != token:
            break
    return written[drawn.at + drawn.num_omitted : done], wanted, done


# -- what kinds there are; each is drawn near a token, or is None where that place has none


def words_of_another_line(script: Script, place: int, rng: random.Random) -> Slip | None:
    """What stands above or below, read on from the same place of the line."""
    number = script.word_near(place)
    if number is None:
        return None
    at = script.words[number]
    other = script.shifted(at, rng.choices(STEPS, STEP_WEIGHTS)[0])
    found = None if other is None else script.word_near(other)
    if found is None or found == number:
        return None
    words = script.words_from(found, rng.randint(1, 4))
    return Slip(at, words) if words else None


def words_again(script: Script, place: int, rng: random.Random) -> Slip | None:
    number = script.word_near(place)
    first = (number or 0) - rng.randint(1, 6)
    if number is None or first < 0:
        return None
    at = script.words[number]
    words = script.words_from(first, number - first)
    return Slip(at, words) if script.words[first] + len(words) == at else None


def words_left_out(script: Script, place: int, rng: random.Random) -> Slip | None:
    number = script.word_near(place)
    if number is None:
        return None
    at, words = script.words[number], script.words_from(number, rng.randint(1, 3))
    end = at + len(words)
    is_word = end < len(script.ids) and script.ids[end] in script.blanks
    return Slip(at, num_omitted=len(words)) if words and is_word else None


def line_again(script: Script, place: int, _: random.Random) -> Slip | None:
    if not script.lines or not 1 <= script.line_of(place) < len(script.lines) - 1:
        return None
    line = script.line_of(place)
    before, at = script.lines[line - 1 : line + 1]
    return Slip(at, script.ids[before:at], returns=False)


def line_left_out(script: Script, place: int, _: random.Random) -> Slip | None:
    if not script.lines or script.line_of(place) >= len(script.lines) - 2:
        return None
    line = script.line_of(place)
    at, after = script.lines[line : line + 2]
    return Slip(at, num_omitted=after - at)


KINDS = (words_of_another_line, words_again, words_left_out, line_again, line_left_out)
KIND_WEIGHTS = (44, 18, 10, 14, 14)
