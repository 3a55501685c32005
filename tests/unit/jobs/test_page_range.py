"""When the next range is asked for."""

from uuid import UUID

import pytest

from folio.db.pages import PageClaim
from folio.jobs.options import DocumentOptions
from folio.jobs.reading import PageRange


@pytest.mark.parametrize(("num_pages", "num_left"), [(16, 6), (8, 4), (4, 2), (1, 0)])
async def test_the_next_range_is_asked_for_while_pages_of_this_one_are_left(
    num_pages: int, num_left: int
) -> None:
    claims = [PageClaim(UUID(int=1), number, "a", 1) for number in range(1, num_pages + 1)]
    pages = PageRange(UUID(int=1), DocumentOptions(), claims)
    for _ in range(num_pages - num_left - 1):
        pages.count_rendered()
    assert not pages.is_nearly_rendered.is_set()
    pages.count_rendered()
    assert pages.is_nearly_rendered.is_set()
