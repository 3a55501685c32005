"""Two halves of a page, each read by itself -> the page. Pure.

What lies in the overlap was read twice. A block that both halves have is kept once; a paragraph
or a table that runs through the cut is put together again from its two parts. What cannot be told
to be the same is kept twice: a repeated line is seen, a lost one is not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from folio.pipeline.columns import join_columns
from folio.pipeline.grounding import FIGURE_LABELS
from folio.pipeline.halves import Cut, shift_down
from folio.pipeline.markdown import to_markdown, to_plain_text
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage
from folio.pipeline.seam import find_seam, join_tables, join_texts, split_words
from folio.preprocessing.resolution import Mode

_SAME_TEXT = 0.8  # of the words of the longer of two blocks
_SAME_COLUMN = 0.5  # of the narrower block's width
_SAME_PLACE = 0.5  # of the lower block's height
_MAX_BLOCKS = 60  # of a half that lie near the cut; more than that is a loop
_SLACK = 0.02  # of the upper half's height: boxes are seldom exact, and lines lie apart
# Equal words that tell an overlap from chance: with boxes at the same place, and without boxes.
_LEAST_EQUAL, _LEAST_EQUAL_UNPLACED = 2, 4


def stitch(upper: PageResult, lower: PageResult, cut: Cut) -> PageResult:
    """The page of which `upper` and `lower` are the halves; their usage is added up."""
    blocks = stitch_blocks(upper.blocks, shift_down(lower, cut.lower_start), cut)
    order = list(Mode)
    finish_reason = lower.finish_reason if upper.finish_reason == "stop" else upper.finish_reason
    return PageResult(
        text=to_plain_text(blocks),
        markdown=to_markdown(blocks),
        raw_text=f"{upper.raw_text}\n{lower.raw_text}",
        blocks=tuple(blocks),
        width=upper.width,
        height=cut.lower_start + lower.height,
        mode=max(upper.mode, lower.mode, key=order.index),
        usage=add_usage(upper.usage, lower.usage),
        finish_reason=finish_reason,
    )


def add_usage(first: Usage, second: Usage) -> Usage:
    return Usage(
        first.prompt_tokens + second.prompt_tokens,
        first.image_tokens + second.image_tokens,
        first.completion_tokens + second.completion_tokens,
    )


def stitch_blocks(upper: Sequence[Block], lower: Sequence[Block], cut: Cut) -> list[Block]:
    """The blocks of the page, in reading order; all boxes are in the page's coordinates."""
    joined, rest = list(upper), []
    near = [index for index, block in enumerate(upper) if _reaches_down(block, cut)][-_MAX_BLOCKS:]
    num_tried = 0
    for block in lower:
        may_join = num_tried < _MAX_BLOCKS and _reaches_up(block, cut)
        num_tried += may_join
        if not (may_join and _join(joined, near, block, cut)):
            rest.append(block)
    return join_columns(joined, rest)


def _join(upper: list[Block], near: Sequence[int], block: Block, cut: Cut) -> bool:
    """Put a block of the lower half into one of the upper's that it repeats or goes on from."""
    for index in reversed(near):
        joined = join_blocks(upper[index], block, cut)
        if joined is not None:
            upper[index] = joined
            return True
    return False


def _reaches_down(block: Block, cut: Cut) -> bool:
    """Whether a block of the upper half lies where the lower one was read too, or may do so."""
    return block.box is None or block.box.y1 + _SLACK * cut.upper_end > cut.lower_start


def _reaches_up(block: Block, cut: Cut) -> bool:
    return block.box is None or block.box.y0 - _SLACK * cut.upper_end < cut.upper_end


def join_blocks(upper: Block, lower: Block, cut: Cut) -> Block | None:
    """One block for both, near the cut, if they are the same or parts of one; else None."""
    if not _can_meet(upper, lower, cut):
        return None
    are_figures = (upper.label in FIGURE_LABELS, lower.label in FIGURE_LABELS)
    if any(are_figures):
        return _join_figures(upper, lower) if all(are_figures) else None
    if upper.label == lower.label == "table":
        return replace(
            upper, text=join_tables(upper.text, lower.text), boxes=_one_box(upper, lower)
        )
    if _is_same(upper, lower):
        return max(upper, lower, key=lambda block: len(split_words(block.text)))
    if upper.label != lower.label or upper.is_verbatim or lower.is_verbatim:
        return None
    least_equal = _LEAST_EQUAL if upper.boxes else _LEAST_EQUAL_UNPLACED
    text = join_texts(upper.text, lower.text, least_equal=least_equal)
    return None if text is None else replace(upper, text=text, boxes=_one_box(upper, lower))


def is_same_text(first: str, second: str) -> bool:
    """Whether two readings of one text differ in a few words at most."""
    words, others = split_words(first), split_words(second)
    longer = max(len(words), len(others))
    if longer == 0 or min(len(words), len(others)) < _SAME_TEXT * longer:
        return longer == 0 and first.strip() == second.strip()
    shared = Counter(word.key for word in words) & Counter(word.key for word in others)
    if shared.total() < _SAME_TEXT * longer:  # spares most pairs the alignment
        return False
    seam = find_seam(words, others)
    return seam is not None and seam.num_equal >= _SAME_TEXT * longer


def _can_meet(upper: Block, lower: Block, cut: Cut) -> bool:
    """Whether the two lie in one column and touch each other."""
    first, second = upper.box, lower.box
    if first is None or second is None:
        return first is None and second is None
    slack = _SLACK * cut.upper_end
    touch = second.y0 <= first.y1 + slack and first.y0 <= second.y1 + slack
    narrower = min(first.x1 - first.x0, second.x1 - second.x0)
    are_in_one_column = min(first.x1, second.x1) - max(first.x0, second.x0) >= (
        _SAME_COLUMN * narrower
    )
    return touch and are_in_one_column


def _is_same(upper: Block, lower: Block) -> bool:
    """Whether it is one block, read twice: at the same place it says the same."""
    if upper.box is None or lower.box is None:
        return upper.text == lower.text
    shared = min(upper.box.y1, lower.box.y1) - max(upper.box.y0, lower.box.y0)
    lower_height = min(upper.box.y1 - upper.box.y0, lower.box.y1 - lower.box.y0)
    return shared >= _SAME_PLACE * lower_height and is_same_text(upper.text, lower.text)


def _join_figures(upper: Block, lower: Block) -> Block | None:
    """A figure that runs through the cut is one picture; one that begins below another is not."""
    if upper.box is None or lower.box is None or lower.box.y0 > upper.box.y1:
        return None
    texts = list(dict.fromkeys(text for text in (upper.text, lower.text) if text))
    return replace(upper, text="\n".join(texts), boxes=_one_box(upper, lower))


def _one_box(upper: Block, lower: Block) -> tuple[BoundingBox, ...]:
    box = replace(upper, boxes=upper.boxes + lower.boxes).box
    return () if box is None else (box,)
