"""What the network shall answer to each prompt about a page."""

import random

from training.page import Block, Box, Line, Page
from training.vocabulary import DET, DET_END, GROUNDING, REF, REF_END

Pieces = list[str | tuple[str]]

MAX_COORDINATE = 999


def format_box(box: Box, width: int, height: int) -> str:
    """Pixels of the page to 0-999 of its width and height."""
    scales = (width, height, width, height)
    values = (
        min(MAX_COORDINATE, max(0, round(value / scale * MAX_COORDINATE)))
        for value, scale in zip(box, scales, strict=True)
    )
    return "[[" + ", ".join(map(str, values)) + "]]"


def tagged(ref: str, box: Box, page: Page) -> Pieces:
    return [(REF,), ref, (REF_END,), (DET,), format_box(box, page.width, page.height), (DET_END,)]


def free_ocr(page: Page) -> tuple[Pieces, Pieces]:
    return ["\nFree OCR."], [page.text]


def grounded_lines(page: Page) -> tuple[Pieces, Pieces]:
    answer: Pieces = []
    for line in page.lines:
        answer += ["\n"] if answer else []
        answer += tagged(line.text, line.box, page)
    return ["\n", (GROUNDING,), "OCR this image."], answer


def grounded_markdown(page: Page) -> tuple[Pieces, Pieces]:
    answer: Pieces = []
    for block in page.blocks:
        answer += ["\n\n"] if answer else []
        answer += tagged(block.label, block.box, page)
        answer += ["\n", *block.markdown] if block.markdown else []
    return ["\n", (GROUNDING,), "Convert the document to markdown."], answer


def plain_markdown(page: Page) -> tuple[Pieces, Pieces]:
    answer: Pieces = []
    for block in page.blocks:
        if block.markdown:
            answer += ["\n\n", *block.markdown] if answer else block.markdown
    return ["\nConvert the document to markdown."], answer


def parsed_figure(page: Page) -> tuple[Pieces, Pieces]:
    """The tables of the page, or all of it where it has none."""
    tables = [block for block in page.blocks if block.label == "table"]
    _, answer = plain_markdown(Page(page.width, page.height, tables or page.blocks))
    return ["\nParse the figure."], answer


COUNTED = (
    ("title", "title"),
    ("sub_title", "heading"),
    ("text", "text block"),
    ("table", "table"),
    ("image", "picture"),
)


def count_phrase(blocks: list[Block], label: str, name: str) -> str:
    count = sum(block.label == label for block in blocks)
    return f"{count} {name}{'s' if count > 1 else ''}" if count else ""


def description(page: Page) -> tuple[Pieces, Pieces]:
    parts = [
        phrase for label, name in COUNTED if (phrase := count_phrase(page.blocks, label, name))
    ]
    first = page.lines[0].text if page.lines else ""
    text = f"A printed page with {', '.join(parts)}. It begins: {first}"
    return ["\nDescribe this image in detail."], [text]


def located_line(page: Page, line: Line) -> tuple[Pieces, Pieces]:
    prompt: Pieces = ["\nLocate ", (REF,), line.text, (REF_END,), " in the image."]
    return prompt, tagged(line.text, line.box, page)


TASKS = (free_ocr, grounded_lines, grounded_markdown, plain_markdown, parsed_figure, description)
TASK_WEIGHTS = (36, 36, 21, 2, 1.5, 1)
LOCATE_WEIGHT = 2.5
# Of a page with pictures, of which only answers to the grounded Markdown prompt tell.
PICTURE_WEIGHTS = (25, 15, 53, 2, 1.5, 1)


def draw_task(page: Page, rng: random.Random) -> tuple[Pieces, Pieces]:
    """A prompt (what follows <image>) and its answer, as pieces for the tokenizer."""
    has_pictures = any(block.label == "image" for block in page.blocks)
    weights = (*(PICTURE_WEIGHTS if has_pictures else TASK_WEIGHTS), LOCATE_WEIGHT)
    choice = rng.choices(range(len(TASKS) + 1), weights)[0]
    lines = page.lines
    if choice == len(TASKS) and lines:
        line = rng.choice(lines)
        if sum(other.text == line.text for other in lines) == 1:
            return located_line(page, line)
    return TASKS[choice % len(TASKS)](page)
