"""How answers are measured: character error rate, and boxes against boxes. Pure functions."""

import re
from dataclasses import dataclass

import numpy as np

TAGGED = re.compile(
    r"<\|ref\|>(?P<ref>.*?)<\|/ref\|>"
    r"<\|det\|>\[\[(\d+), (\d+), (\d+), (\d+)\]\]<\|/det\|>",
    re.DOTALL,
)

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Tagged:
    """One `<|ref|>..<|/ref|><|det|>..<|/det|>` and the text up to the next."""

    ref: str
    box: Box
    text: str


def normalise_space(text: str) -> str:
    """Every run of white space is one blank: the only normalisation before counting errors."""
    return " ".join(text.split())


def edit_distance(first: str, second: str) -> int:
    """Levenshtein's, one row at a time; an insertion is a running minimum along the row."""
    letters = np.array([ord(character) for character in second])
    columns = np.arange(len(second) + 1)
    row = columns.copy()
    for count, character in enumerate(first, 1):
        replaced = row[:-1] + (letters != ord(character))
        best = np.concatenate([[count], np.minimum(row[1:] + 1, replaced)])
        row = np.minimum.accumulate(best - columns) + columns
    return int(row[-1])


def count_errors(answer: str, truth: str) -> tuple[int, int]:
    """Edits and characters, after white space is normalised."""
    answer, truth = normalise_space(answer), normalise_space(truth)
    return (0 if answer == truth else edit_distance(answer, truth)), len(truth)


def parse_tags(answer: str) -> list[Tagged]:
    """Every tag with its text, which goes on until the next tag."""
    matches = list(TAGGED.finditer(answer))
    ends = [match.start() for match in matches[1:]] + [len(answer)]
    return [
        Tagged(match["ref"], read_box(match), answer[match.end() : end].strip())
        for match, end in zip(matches, ends, strict=True)
    ]


def read_box(match: re.Match[str]) -> Box:
    x0, y0, x1, y1 = (int(match[group]) for group in range(2, 6))
    return x0, y0, x1, y1


def intersection_over_union(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    overlap = max(0, width) * max(0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return overlap / max(1, areas - overlap)


def mean_overlap(answer: list[Tagged], truth: list[Tagged]) -> list[float]:
    """For each true box the overlap of the best answered box, each used once, greedily; 0 where
    none is left."""
    pairs = sorted(
        (
            (intersection_over_union(a.box, t.box), i, j)
            for i, a in enumerate(answer)
            for j, t in enumerate(truth)
        ),
        reverse=True,
    )
    best = [0.0] * len(truth)
    taken_answers: set[int] = set()
    taken_truths: set[int] = set()
    for overlap, i, j in pairs:
        if i not in taken_answers and j not in taken_truths:
            taken_answers.add(i)
            taken_truths.add(j)
            best[j] = overlap
    return best
