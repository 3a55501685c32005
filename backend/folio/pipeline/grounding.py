"""The model's answer -> blocks with boxes. Pure, linear, and it loses nothing that was read.

The published model answers in two styles, told apart by what stands inside <|ref|>:

    "Convert the document to markdown"   <|ref|>label<|/ref|><|det|>boxes<|/det|> text ...
    "OCR this image", "Locate"           <|ref|>text<|/ref|><|det|>boxes<|/det|>
"""

from dataclasses import replace

from folio.pipeline.coordinates import to_pixels
from folio.pipeline.results import Block
from folio.pipeline.tags import Segment, split_at_tags, trim

TEXT = "text"
FIGURE_LABELS = frozenset({"image", "figure", "chart", "picture", "seal", "header_image"})
TITLE_LABELS = frozenset({"title", "sub_title", "doc_title", "paragraph_title"})

# The published model's labels, then those of its relatives and descendants.
LABELS = (
    FIGURE_LABELS
    | TITLE_LABELS
    | frozenset({TEXT, "image_caption", "table", "table_caption", "table_footnote", "equation"})
    | frozenset({"header", "footer", "page_number", "figure_title", "table_title"})
    | frozenset({"figure_caption", "chart_title", "image_footnote", "page_footnote", "footnote"})
    | frozenset({"formula", "formula_number", "isolate_formula", "equation_number"})
    | frozenset({"caption", "code", "code_caption", "algorithm", "list", "abstract", "content"})
    | frozenset({"reference", "ref_text", "aside_text", "vertical_text", "handwriting"})
)

_TABLE_START, _TABLE_END = "<table", "</table>"
_MAX_TABLE_NEIGHBOURS = 3


def parse_grounding(
    raw_text: str, width: int, height: int, *, refs_hold_text: bool | None = None
) -> list[Block]:
    """Blocks in the model's order; boxes in pixels of the upright page of width x height.

    `refs_hold_text` says whether the prompt asked for text inside <|ref|>, or for labels. It
    decides only where the answer does not tell by itself: a page on which nothing but the word
    "table" is printed, or whose tables are all empty.
    """
    segments = split_at_tags(raw_text, LABELS)
    holds_text = refs_hold_text or _refs_hold_text(segments, expected=refs_hold_text)
    blocks: list[Block] = []
    for segment in segments:
        blocks.extend(_to_blocks(segment, width, height, holds_text=holds_text))
    return _reunite_tables(blocks)


def ungrounded(raw_text: str) -> list[Block]:
    """The answer to a prompt that asks for no boxes: all of it is text, tags included."""
    text = trim(raw_text)
    return [Block(TEXT, text)] if text else []


def _refs_hold_text(segments: list[Segment], *, expected: bool | None) -> bool:
    refs = [segment for segment in segments if segment.ref is not None]
    num_labels = sum(_label(segment) in LABELS for segment in refs)
    if any(segment.text for segment in refs):
        return num_labels * 2 < len(refs)
    if expected is not None:
        return expected
    # No ref is followed by text: labels would be labels of nothing, unless they are figures'.
    return any(_label(segment) not in FIGURE_LABELS for segment in refs)


def _to_blocks(segment: Segment, width: int, height: int, *, holds_text: bool) -> list[Block]:
    boxes = tuple(to_pixels(box, width, height) for box in segment.boxes)
    if segment.ref is None:
        return [Block(TEXT, segment.text, boxes)] if segment.text or boxes else []
    label = _label(segment)
    if _is_label(segment, label, holds_text=holds_text):
        return [Block(label, segment.text, boxes)]
    line = Block(TEXT, trim(segment.ref), boxes, is_verbatim=True)
    rest = Block(TEXT, segment.text)
    return [block for block in (line, rest) if block.text or block.boxes]


def _label(segment: Segment) -> str:
    return (segment.ref or "").strip()


def _is_label(segment: Segment, label: str, *, holds_text: bool) -> bool:
    if label in LABELS:
        return bool(segment.text) or not holds_text
    # A label that nobody told us of: a_word_like_this before a text, among other labels.
    looks_like_one = "_" in label and label.replace("_", "").isalpha() and label.islower()
    return looks_like_one and bool(segment.text) and not holds_text


def _reunite_tables(blocks: list[Block]) -> list[Block]:
    """Give a table's tag its table back where the caption's tag came in between."""
    blocks = list(blocks)
    for index, block in enumerate(blocks):
        if block.label == "table" and not block.text:
            _take_table_from_neighbour(blocks, index)
    return blocks


def _take_table_from_neighbour(blocks: list[Block], index: int) -> None:
    for other in range(index + 1, min(index + 1 + _MAX_TABLE_NEIGHBOURS, len(blocks))):
        neighbour = blocks[other]
        if not neighbour.label.startswith("table_"):
            return
        start = neighbour.text.find(_TABLE_START)
        if start < 0:
            continue
        last = neighbour.text.rfind(_TABLE_END)
        end = last + len(_TABLE_END) if last >= 0 else len(neighbour.text)
        rest = [trim(neighbour.text[:start]), trim(neighbour.text[end:])]
        caption = replace(neighbour, text="\n".join(part for part in rest if part))
        table = replace(blocks[index], text=neighbour.text[start:end])
        # In the order in which the page was read: the caption came first if it stood above.
        blocks[index : other + 1] = [
            *blocks[index + 1 : other],
            *([caption, table] if rest[0] else [table, caption]),
        ]
        return
