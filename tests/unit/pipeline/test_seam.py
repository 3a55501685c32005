"""Texts whose ends overlap, joined."""

import random
import time

import pytest

from folio.pipeline.seam import find_seam, join_tables, join_texts, split_rows, split_words


def join(first: str, second: str, least_equal: int = 2) -> str | None:
    return join_texts(first, second, least_equal=least_equal)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("a b c d", "c d e f", "a b c d e f"),
        ("a b c d", "a b c d", "a b c d"),
        ("a b c d", "b c d", "a b c d"),
        ("a b c", "a b c d", "a b c d"),
        ("A, b; C. D!", "c d e", "A, b; C. D e"),
        ("one two three", "two  three\nfour", "one two three\nfour"),
        ("x 1.50 2.50", "1.50 2.50 9", "x 1.50 2.50 9"),
    ],
)
def test_what_both_have_is_kept_once(first: str, second: str, joined: str) -> None:
    assert join(first, second) == joined


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a b c", "d e f"),
        ("", "a b"),
        ("a b", ""),
        ("", ""),
        ("a b c x y", "a b c z w"),
        ("!", "?"),
    ],
)
def test_what_shares_nothing_is_not_joined(first: str, second: str) -> None:
    assert join(first, second) is None


def test_one_equal_word_is_chance() -> None:
    assert join("it was the", "the end") is None


@pytest.mark.parametrize("seed", range(20))
def test_an_overlap_is_found_whatever_was_misread_in_it(seed: int) -> None:
    chance = random.Random(seed)
    words = [f"word{number}" for number in range(120)]
    first, second = words[:80], words[60:]
    # A tenth of the overlap is misread on one side, and a word is lost on the other.
    for index in chance.sample(range(62, 78), 2):
        first[index] = "misread"
    del second[chance.randrange(2, 18)]
    joined = join(" ".join(first), " ".join(second))
    assert joined is not None
    kept = joined.split()
    assert len(kept) in (119, 120)
    assert [word for word in words if word not in kept] == [
        word for word in words if word not in kept and word in words[60:80]
    ]
    assert kept[:60] == words[:60]
    assert kept[-40:] == words[80:]


def test_long_texts_are_looked_at_where_they_can_overlap() -> None:
    words = [f"w{number}" for number in range(40_000)]
    start = time.thread_time()
    joined = join(" ".join(words[:20_050]), " ".join(words[19_950:]))
    assert joined == " ".join(words)
    assert time.thread_time() - start < 5


def test_a_text_of_one_word_over_and_over_ends() -> None:
    assert join("a " * 5000, "a " * 5000) is not None


def test_rows_are_told_by_what_they_say() -> None:
    rows = split_rows('<table><tr><td>A</td><td>1</td></tr><tr><th colspan="2">b</th></table>')
    assert [row.key for row in rows] == ["a 1", "b"]


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def test_tables_without_an_end_are_joined() -> None:
    first = "<table>" + row("a") + row("b")
    second = "<table>" + row("b") + row("c")
    assert join_tables(first, second) == "<table>" + row("a") + row("b") + row("c")


def test_an_empty_table_leaves_the_other() -> None:
    full = f"<table>{row('a')}</table>"
    assert join_tables(full, "<table></table>") == full
    assert row("a") in join_tables("<table></table>", full)


def test_a_header_that_is_repeated_below_the_cut_is_not_taken_for_an_overlap() -> None:
    first = "<table>" + row("name", "sum") + row("a", "1") + "</table>"
    second = "<table>" + row("b", "2") + row("c", "3") + "</table>"
    joined = join_tables(first, second)
    assert [unit.key for unit in split_rows(joined)] == ["name sum", "a 1", "b 2", "c 3"]


def test_seams_of_nothing_are_none() -> None:
    assert find_seam([], []) is None
    assert find_seam(split_words("a"), []) is None
