import pytest

from folio.documents.page_ranges import parse_page_ranges, select_pages
from folio.errors import InvalidInputError, TooManyPagesError


def test_ranges_select_pages_in_ascending_order_each_once() -> None:
    assert select_pages(parse_page_ranges(" 7, 1-3,2 - 4,"), 9, max_pages=5) == (1, 2, 3, 4, 7)


def test_no_ranges_select_every_page() -> None:
    assert select_pages(None, 3, max_pages=3) == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5-2", 'Write "2-5"'),
        ("0", "first page is page 1"),
        ("0-3", "first page is page 1"),
        ("a-b", "no page range"),
        ("1-2-3", "no page range"),
        ("-3", "no page range"),
        ("3-", "no page range"),
        ("1;2", "no page range"),
        ("\u0663", "no page range"),
        ("9" * 5000, "longer than"),
        ("9" * 100, "no page range"),
        ("", "names no page"),
        (",", "names no page"),
    ],
)
def test_junk_is_explained(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_page_ranges(text)


@pytest.mark.parametrize("text", ["999", "1-9999999", "3,11"])
def test_a_page_beyond_the_end_is_explained(text: str) -> None:
    with pytest.raises(InvalidInputError, match="ends with page 10"):
        select_pages(parse_page_ranges(text), 10, max_pages=99)


def test_too_many_pages_are_refused_and_a_part_of_them_is_not() -> None:
    with pytest.raises(TooManyPagesError, match='pages="1-100"') as refused:
        select_pages(None, 101, max_pages=100)
    assert refused.value.values == {"num_pages": 101, "max_pages": 100}

    assert len(select_pages(parse_page_ranges("2-101"), 101, max_pages=100)) == 100
