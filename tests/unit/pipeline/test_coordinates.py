"""Box lists as models write them, and as they should not."""

import pytest

from folio.pipeline.coordinates import BoxList, read_boxes, to_pixels
from folio.pipeline.results import BoundingBox


def read(text: str, *, is_closed: bool = True) -> BoxList:
    return read_boxes(text, 0, len(text), is_closed=is_closed)


@pytest.mark.parametrize(
    "text",
    [
        "[[1, 2, 3, 4]]",
        " [[1,2,3,4]] \n",
        "[1, 2, 3, 4]",
        "1, 2, 3, 4",
        "[[1 2 3 4]]",
        "[[1, 2, 3, 4",
        "[[1, 2, 3, 4]]]",
        "[[[1, 2, 3, 4]",
        "((1, 2, 3, 4))",
        "[[1.0, 2.0, 3.0, 4.0]]",
        "\uff3b\uff3b\uff11\uff0c\uff12\uff0c\uff13\uff0c\uff14\uff3d\uff3d",
        "\u3010\u30101\u30012\u30013\u30014\u3011\u3011",
        "[[1, 2, 3, 4, 5]]",
        "[[1, 2, 3, 4], [5, 6]]",
    ],
)
def test_one_box_is_read_and_nothing_is_left(text: str) -> None:
    found = read(text)
    assert found.boxes == [(1, 2, 3, 4)]
    assert (found.end, found.stray) == (len(text), "")


@pytest.mark.parametrize(
    "text",
    [
        "[[1,2,3,4],[5,6,7,8]]",
        "[[1,2,3,4]],[[5,6,7,8]]",
        "[1,2,3,4] [5,6,7,8]",
        "[1,2,3,4,5,6,7,8]",
    ],
)
def test_several_boxes_are_read(text: str) -> None:
    assert read(text).boxes == [(1, 2, 3, 4), (5, 6, 7, 8)]


@pytest.mark.parametrize("text", ["", "[]", "[[]]", "[[1, 2]]", "[[,,,]]"])
def test_less_than_four_numbers_are_no_box(text: str) -> None:
    assert read(text).boxes == []


def test_endless_digits_are_clamped() -> None:
    assert read("[[1, 2, 3, " + "9" * 100_000).boxes == [(1, 2, 3, 999)]


def test_numbers_outside_of_the_page_are_clamped() -> None:
    assert read("[[-5, 1000, 99999, 998.5]]").boxes == [(0, 999, 999, 998.5)]


def test_a_stray_character_between_coordinates_is_handed_back() -> None:
    found = read("[[1, 2, x3, 4]]")
    assert (found.boxes, found.stray) == ([(1, 2, 3, 4)], "x")


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize(
    "text",
    ["In 2024 we [1] saw", "\n[1] shows 2, 3, 4", "\n2024 was good", "\n\\[[1, 2, 3, 4]\\]", "x"],
)
def test_text_behind_the_list_is_left_alone(text: str, is_closed: bool) -> None:
    found = read("[[1, 2, 3, 4]]" + text, is_closed=is_closed)
    assert (found.boxes, found.end) == ([(1, 2, 3, 4)], len("[[1, 2, 3, 4]]"))


@pytest.mark.parametrize("text", ["1. Introduction", "(see [1])", "Foo", "[a, b]", "2024 was"])
def test_text_without_a_list_is_left_alone(text: str) -> None:
    found = read(text, is_closed=False)
    assert (found.boxes, found.end) == ([], 0)


def test_an_unclosed_list_ends_where_text_begins() -> None:
    found = read("[[1, 2, 3, 4 Foo", is_closed=False)
    assert (found.boxes, found.end) == ([(1, 2, 3, 4)], len("[[1, 2, 3, 4 "))


def test_coordinates_of_999_are_the_far_edge() -> None:
    assert to_pixels((0, 0, 999, 999), 1240, 1754) == BoundingBox(0, 0, 1240, 1754)


def test_boxes_are_ordered() -> None:
    assert to_pixels((500, 900, 100, 200), 999, 999) == BoundingBox(100, 200, 500, 900)


@pytest.mark.parametrize("point", [(0, 0, 0, 0), (999, 999, 999, 999), (500, 500, 500, 500)])
@pytest.mark.parametrize("size", [1, 2, 100, 5000])
def test_an_empty_box_becomes_one_pixel_on_the_page(
    point: tuple[float, float, float, float], size: int
) -> None:
    box = to_pixels(point, size, size)
    assert 0 <= box.x0 == box.x1 - 1
    assert box.x1 <= size
    assert 0 <= box.y0 == box.y1 - 1
    assert box.y1 <= size
