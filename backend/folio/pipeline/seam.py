"""Joins two texts whose ends overlap: what stands at the end of the first and at the beginning
of the second, not necessarily letter by letter, is kept once. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# A word, or one character of a script that has no spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_TABLE_ROW = re.compile(r"<tr\b.*?(?:</tr>|(?=<tr\b)|(?=</table)|\Z)", re.DOTALL | re.IGNORECASE)
_TABLE_END = re.compile(r"\s*(?:</tbody>\s*)?</table>\s*\Z", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")

_MAX_UNITS = 200  # the work grows with the square; an overlap has far fewer words
_LEAST_SHARE = 2 / 3  # of the units of an overlap that both sides have
_MATCH, _MISMATCH, _GAP = 2, -2, -1


@dataclass(frozen=True)
class Unit:
    """A word or a table row: what it says, and where it stands in its text."""

    key: str
    start: int
    end: int


@dataclass(frozen=True)
class Seam:
    """Where the second text takes over: the first is kept to `first_end`, and the second from
    `second_start`. `num_equal`: the units that both have."""

    first_end: int
    second_start: int
    num_equal: int


def split_words(text: str) -> list[Unit]:
    return [Unit(m.group().casefold(), m.start(), m.end()) for m in _WORD.finditer(text)]


def split_rows(table: str) -> list[Unit]:
    """The rows of an HTML table. Rows that say nothing count as equal to each other."""
    return [
        Unit(" ".join(_TAG.sub(" ", m.group()).casefold().split()), m.start(), m.end())
        for m in _TABLE_ROW.finditer(table)
    ]


def join_texts(first: str, second: str, *, least_equal: int) -> str | None:
    """Both as one text, what they share once. None where they share less than `least_equal`
    words."""
    seam = find_seam(split_words(first), split_words(second))
    if seam is None or seam.num_equal < least_equal:
        return None
    return first[: seam.first_end] + second[seam.second_start :]


def join_tables(first: str, second: str) -> str:
    """Two tables as one: the first's rows, then those of the second that are not in the first."""
    rows = split_rows(second)
    seam = find_seam(split_rows(first), rows)
    if seam is not None:
        return first[: seam.first_end] + second[seam.second_start :]
    start = rows[0].start if rows else len(second)
    return _TABLE_END.sub("", first) + (second[start:] or "</table>")


def find_seam(first: Sequence[Unit], second: Sequence[Unit]) -> Seam | None:
    """The best overlap of the end of `first` with the beginning of `second`; None without one.

    An alignment: it may have words that differ, and words that only one side has, but they must
    be few, since of two readings only one is kept. The texts change over in its middle, since
    what was cut through lies at its ends.
    """
    first, second = first[-_MAX_UNITS:], second[:_MAX_UNITS]
    keys, other_keys = [unit.key for unit in first], [unit.key for unit in second]
    pairs = [] if set(keys).isdisjoint(other_keys) else _align(keys, other_keys)
    if not pairs:
        return None
    longer = max(len(first) - pairs[0][0], pairs[-1][1] + 1)
    if len(pairs) < _LEAST_SHARE * longer:
        return None
    in_first, in_second = pairs[len(pairs) // 2]
    return Seam(first[in_first].end, second[in_second].end, len(pairs))


def _align(first: list[str], second: list[str]) -> list[tuple[int, int]]:
    """Pairs of indices of equal units on the best path from anywhere in `first`, at the
    beginning of `second`, to the end of `first`, anywhere in `second`."""
    scores = [[0] + [_GAP * column for column in range(1, len(second) + 1)]]
    for row, key in enumerate(first):
        above, line = scores[row], [0]
        for column, other in enumerate(second):
            diagonal = above[column] + (_MATCH if key == other else _MISMATCH)
            line.append(max(diagonal, above[column + 1] + _GAP, line[column] + _GAP))
        scores.append(line)
    last = scores[-1]
    end = max(range(len(last)), key=last.__getitem__)
    return _trace_back(scores, first, second, end) if last[end] > 0 else []


def _trace_back(
    scores: list[list[int]], first: list[str], second: list[str], column: int
) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    row = len(first)
    while row > 0 and column > 0:
        is_equal = first[row - 1] == second[column - 1]
        step = _MATCH if is_equal else _MISMATCH
        if scores[row][column] == scores[row - 1][column - 1] + step:
            row, column = row - 1, column - 1
            if is_equal:
                pairs.append((row, column))
        elif scores[row][column] == scores[row - 1][column] + _GAP:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]
