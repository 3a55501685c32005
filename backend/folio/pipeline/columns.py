"""The reading order of a page in columns that was cut across: each column goes on below the cut
before the next one begins. Pure.
"""

from collections.abc import Sequence

from folio.pipeline.results import Block, BoundingBox

Column = tuple[int, int]  # left and right, in pixels

_INSIDE = 0.8  # of a block's width: then it stands in the column
_MAX_BLOCKS = 300  # of one half; what has more is a form or a loop, and stays as it is


def join_columns(upper: Sequence[Block], lower: Sequence[Block]) -> list[Block]:
    """The upper half's blocks, then the lower's, but column by column where both halves say that
    they were read so."""
    blocks = [*upper, *lower]
    if max(len(upper), len(lower)) > _MAX_BLOCKS or any(block.box is None for block in blocks):
        return blocks
    for start in range(len(upper) - 1):
        columns = find_columns(upper[start:])
        places = [_column_of(block, columns) for block in upper[start:]]
        if len(columns) > 1 and _is_by_column(places):
            return [*upper[:start], *_interleave(upper[start:], lower, columns)]
    return blocks


def find_columns(blocks: Sequence[Block]) -> list[Column]:
    """Stretches of the page's width, from left to right, between which no block reaches over."""
    columns: list[Column] = []
    for left, right in sorted((box.x0, box.x1) for box in map(_box, blocks)):
        if columns and left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _interleave(
    upper: Sequence[Block], lower: Sequence[Block], columns: Sequence[Column]
) -> list[Block]:
    places = [_column_of(block, columns) for block in lower]
    end = places.index(None) if None in places else len(places)
    if len(set(places[:end])) < 2 or not _is_by_column(places[:end]):
        return [*upper, *lower]
    blocks: list[Block] = []
    for column in range(len(columns)):
        blocks += [block for block in upper if _column_of(block, columns) == column]
        blocks += [lower[index] for index in range(end) if places[index] == column]
    return [*blocks, *lower[end:]]


def _column_of(block: Block, columns: Sequence[Column]) -> int | None:
    """Its number from the left; None for a block that reaches over several, or into none."""
    box = _box(block)
    for number, (left, right) in enumerate(columns):
        if min(box.x1, right) - max(box.x0, left) >= _INSIDE * (box.x1 - box.x0):
            return number
    return None


def _is_by_column(places: Sequence[int | None]) -> bool:
    """Whether no column is come back to."""
    known = [place for place in places if place is not None]
    return known == sorted(known)


def _box(block: Block) -> BoundingBox:
    assert block.box is not None, "callers leave pages alone whose blocks have no boxes"
    return block.box
