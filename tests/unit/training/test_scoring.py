import pytest

from training.scoring import (
    count_errors,
    edit_distance,
    intersection_over_union,
    mean_overlap,
    parse_tags,
)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("ä", "a", 1)],
)
def test_edit_distance(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


def test_only_white_space_is_normalised() -> None:
    assert count_errors("a\n b  C", "a b C") == (0, 5)
    assert count_errors("a b c", "a b C") == (1, 5)


def test_tags_are_read_with_their_text() -> None:
    answer = "<|ref|>title<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>\n# A <td>\n\n"
    answer += "<|ref|>image<|/ref|><|det|>[[5, 6, 7, 8]]<|/det|>"
    title, image = parse_tags(answer)
    assert (title.ref, title.box, title.text) == ("title", (1, 2, 30, 40), "# A <td>")
    assert (image.ref, image.text) == ("image", "")


def test_overlap_counts_a_missing_box_as_zero() -> None:
    tag = "<|ref|>a<|/ref|><|det|>[[0, 0, 10, 10]]<|/det|>"
    other = "<|ref|>b<|/ref|><|det|>[[20, 20, 30, 30]]<|/det|>"
    assert intersection_over_union((0, 0, 10, 10), (0, 0, 10, 5)) == 0.5
    assert mean_overlap(parse_tags(tag), parse_tags(tag + other)) == [1.0, 0.0]
