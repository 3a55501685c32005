"""Page ranges as users write them ("1-3,7") -> page numbers. Knows nothing of files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from folio.errors import InvalidInputError, TooManyPagesError

_MAX_LENGTH = 2000
_RANGE = re.compile(r"([0-9]{1,7})(?:\s*-\s*([0-9]{1,7}))?", re.ASCII)


@dataclass(frozen=True)
class PageRange:
    """Pages `first` to `last`, 1-based, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def parse_page_ranges(text: str) -> tuple[PageRange, ...]:
    """Read "1-3,7" without knowing the document. A trailing comma is nobody's mistake.

    Raises InvalidInputError (no range, page 0, a range that runs backwards).
    """
    if len(text) > _MAX_LENGTH:
        raise _refusal(f"pages is longer than {_MAX_LENGTH:,} characters. Use ranges.")
    parts = [part.strip() for part in text.split(",")]
    ranges = tuple(_parse_range(part) for part in parts if part)
    if not ranges:
        raise _refusal('pages names no page. Write numbers and ranges: "1-3,7".')
    return ranges


def select_pages(
    ranges: Sequence[PageRange] | None, num_pages: int, *, max_pages: int
) -> tuple[int, ...]:
    """The page numbers to read, ascending, each once. None selects every page.

    Raises InvalidInputError where a range names a page that the document does not have, and
    TooManyPagesError for more than `max_pages` of them.
    """
    for page_range in ranges or ():
        if page_range.last > num_pages:
            raise _refusal(
                f"pages={page_range} asks for page {page_range.last}, but the document ends with "
                f"page {num_pages}.",
                num_pages=num_pages,
            )
    chosen = (PageRange(1, num_pages),) if ranges is None else ranges
    selected = {page for item in chosen for page in range(item.first, item.last + 1)}
    if len(selected) > max_pages:
        raise TooManyPagesError(
            f"These are {len(selected):,} pages; at most {max_pages:,} are read at once. Choose "
            f'fewer: pages="1-{max_pages}".',
            num_pages=len(selected),
            max_pages=max_pages,
        )
    return tuple(sorted(selected))


def _refusal(message: str, **values: str | float) -> InvalidInputError:
    return InvalidInputError(message, field="pages", **values)


def _parse_range(part: str) -> PageRange:
    match = _RANGE.fullmatch(part)
    if match is None:
        raise _refusal(
            f'"{part[:40]}" is no page range. Write numbers and ranges, parted by commas: "1-3,7".'
        )
    first = int(match[1])
    last = int(match[2] or match[1])
    if first == 0:
        raise _refusal(f'pages="{part}" asks for page 0; the first page is page 1.')
    if last < first:
        raise _refusal(
            f'pages="{part}" runs backwards. Write "{last}-{first}" to read these pages.'
        )
    return PageRange(first, last)
