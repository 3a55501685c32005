"""Two halves of a page -> the page: nothing twice, nothing lost, in reading order."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from folio.pipeline.columns import find_columns
from folio.pipeline.grounding import parse_grounding
from folio.pipeline.halves import Cut, cut_in_halves
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage
from folio.pipeline.stitching import stitch, stitch_blocks
from folio.preprocessing.resolution import Mode

HELDOUT = Path(__file__).parents[2] / "data" / "heldout"
PAGES: dict[str, dict[str, Any]] = {
    page["name"]: page for page in json.loads((HELDOUT / "pages.json").read_text())
}
CUT = Cut(lower_start=480, upper_end=520)  # of a page of 1000 x 1000


def block(
    text: str, y0: int, y1: int, *, x: tuple[int, int] = (100, 900), label: str = "text"
) -> Block:
    return Block(label, text, (BoundingBox(x[0], y0, x[1], y1),))


def line(text: str, y0: int, *, x: tuple[int, int] = (100, 900)) -> Block:
    return Block("text", text, (BoundingBox(x[0], y0, x[1], y0 + 15),), is_verbatim=True)


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


def half(*blocks: Block, height: int = 520, mode: Mode = Mode.BASE) -> PageResult:
    return PageResult("", "", "raw", blocks, 1000, height, mode, Usage(10, 9, 5), "stop")


def test_blocks_of_the_lower_half_are_moved_to_their_place_on_the_page() -> None:
    page = stitch(half(block("a", 10, 40)), half(block("b", 100, 200)), CUT)
    assert page.blocks[1].box == BoundingBox(100, 580, 900, 680)
    assert page.text == "a\n\nb"


def test_the_page_has_the_sum_of_the_halves() -> None:
    page = stitch(half(mode=Mode.GUNDAM), half(mode=Mode.SMALL), CUT)
    assert (page.width, page.height, page.mode) == (1000, 1000, Mode.GUNDAM)
    assert page.usage == Usage(20, 18, 10)
    assert page.raw_text == "raw\nraw"


def test_a_line_that_both_halves_have_is_kept_once() -> None:
    upper = [line("first", 400), line("in the overlap", 490)]
    lower = [line("in the overlap", 491), line("last", 560)]
    assert texts(stitch_blocks(upper, lower, CUT)) == ["first", "in the overlap", "last"]


def test_a_line_that_the_halves_read_a_little_differently_is_kept_once() -> None:
    upper = [line("the quick brown fox jumps over", 490)]
    lower = [line("the quick brovvn fox jumps over", 490)]
    assert texts(stitch_blocks(upper, lower, CUT)) == ["the quick brown fox jumps over"]


def test_equal_lines_away_from_the_cut_are_both_kept() -> None:
    upper, lower = [line("Total 5.00", 100)], [line("Total 5.00", 800)]
    assert len(stitch_blocks(upper, lower, CUT)) == 2


def test_equal_lines_in_two_columns_are_both_kept() -> None:
    upper, lower = [line("yes", 490, x=(100, 300))], [line("yes", 490, x=(600, 800))]
    assert len(stitch_blocks(upper, lower, CUT)) == 2


def test_two_equal_lines_under_each_other_in_the_overlap_stay_two() -> None:
    lines = [line("same", 485), line("same", 503)]
    assert len(stitch_blocks(lines, lines, CUT)) == 2


def test_a_paragraph_through_the_cut_is_one_paragraph() -> None:
    upper = [block("one two three four five six", 300, 519)]
    lower = [block("five six seven eight nine", 481, 700)]
    [joined] = stitch_blocks(upper, lower, CUT)
    assert joined.text == "one two three four five six seven eight nine"
    assert joined.box == BoundingBox(100, 300, 900, 700)


def test_half_a_line_at_an_edge_gives_way_to_the_whole_one() -> None:
    upper = [block("one two three four five six seven eight nlne", 300, 519)]
    lower = [block("fonr five six seven eight nine ten", 481, 700)]
    [joined] = stitch_blocks(upper, lower, CUT)
    assert joined.text == "one two three four five six seven eight nine ten"


def test_paragraphs_that_only_meet_at_the_cut_stay_two() -> None:
    upper, lower = [block("first paragraph.", 300, 481)], [block("Second one.", 519, 700)]
    assert texts(stitch_blocks(upper, lower, CUT)) == ["first paragraph.", "Second one."]


def test_a_paragraph_in_a_script_without_spaces_is_joined() -> None:
    upper = [block("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u6211\u4eec\u53bb", 300, 519)]
    lower = [block("\u5f88\u597d\u6211\u4eec\u53bb\u516c\u56ed\u73a9", 481, 700)]
    expected = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u6211\u4eec\u53bb\u516c\u56ed\u73a9"
    assert texts(stitch_blocks(upper, lower, CUT)) == [expected]


def test_a_table_through_the_cut_is_one_table_with_each_row_once() -> None:
    head, rows = "<table>", [f"<tr><td>{n}</td><td>x</td></tr>" for n in range(6)]
    upper = [block(head + "".join(rows[:4]) + "</table>", 300, 519, label="table")]
    lower = [block(head + "".join(rows[2:]) + "</table>", 481, 700, label="table")]
    [joined] = stitch_blocks(upper, lower, CUT)
    assert joined.text == head + "".join(rows) + "</table>"


def test_a_table_through_the_cut_that_shares_no_row_keeps_all_rows() -> None:
    upper = [block("<table><tr><td>a</td></tr></table>", 300, 519, label="table")]
    lower = [block("<table><tr><td>b</td></tr></table>", 481, 700, label="table")]
    [joined] = stitch_blocks(upper, lower, CUT)
    assert joined.text == "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>"


def test_a_figure_through_the_cut_is_one_figure() -> None:
    upper = [block("", 300, 520, label="image")]
    lower = [block("", 480, 700, label="image")]
    [joined] = stitch_blocks(upper, lower, CUT)
    assert joined.boxes == (BoundingBox(100, 300, 900, 700),)


def test_a_figure_does_not_swallow_the_text_at_the_cut() -> None:
    upper, lower = [block("", 300, 520, label="image")], [block("a caption", 490, 510)]
    assert len(stitch_blocks(upper, lower, CUT)) == 2


def test_a_figure_below_another_is_one_of_its_own() -> None:
    upper, lower = [block("", 300, 490, label="image")], [block("", 495, 700, label="image")]
    assert len(stitch_blocks(upper, lower, CUT)) == 2


def test_rows_that_differ_in_a_figure_are_all_kept() -> None:
    rows = [line(f"item number {n} costs five dollars", 440 + 18 * n) for n in range(7)]
    assert stitch_blocks(rows[:4], rows[3:], CUT) == rows
    assert stitch_blocks(rows[:3], rows[3:], CUT) == rows


def test_a_table_below_another_is_one_of_its_own() -> None:
    first = block("<table><tr><td>a</td></tr></table>", 300, 482, label="table")
    second = block("<table><tr><td>b</td></tr></table>", 505, 700, label="table")
    assert stitch_blocks([first], [second], CUT) == [first, second]


def test_text_without_boxes_is_joined_where_enough_words_agree() -> None:
    upper = [Block("text", "It was a dark and stormy night in the town")]
    lower = [Block("text", "stormy night in the town of Ulm")]
    assert texts(stitch_blocks(upper, lower, CUT)) == [
        "It was a dark and stormy night in the town of Ulm"
    ]


def test_text_without_boxes_is_not_joined_by_a_word_or_two() -> None:
    upper, lower = [Block("text", "that is the end")], [Block("text", "the end is near")]
    assert len(stitch_blocks(upper, lower, CUT)) == 2


def test_each_column_goes_on_below_the_cut_before_the_next_begins() -> None:
    left, right = (100, 450), (550, 900)
    upper = [
        block("title", 10, 50),
        block("left above", 100, 470, x=left),
        block("right above", 100, 470, x=right),
    ]
    lower = [
        block("left below", 530, 700, x=left),
        block("right below", 530, 700, x=right),
        block("footer", 900, 950, x=(450, 560)),
    ]
    assert texts(stitch_blocks(upper, lower, CUT)) == [
        "title",
        "left above",
        "left below",
        "right above",
        "right below",
        "footer",
    ]


def test_a_form_that_was_read_line_by_line_stays_so() -> None:
    left, right = (100, 300), (600, 900)
    upper = [line(f"{side} {y}", y, x=x) for y in (10, 50) for side, x in ((1, left), (2, right))]
    lower = [line(f"{side} {y}", y, x=x) for y in (600, 700) for side, x in ((1, left), (2, right))]
    assert stitch_blocks(upper, lower, CUT) == upper + lower


def test_columns_are_what_no_block_reaches_over() -> None:
    blocks = [block("", 0, 9, x=x) for x in ((0, 40), (30, 50), (60, 90))]
    assert find_columns(blocks) == [(0, 50), (60, 90)]
    assert find_columns([*blocks, block("", 0, 9, x=(45, 65))]) == [(0, 90)]


def test_an_empty_half_leaves_the_other() -> None:
    blocks = [block("a", 10, 40)]
    assert stitch_blocks(blocks, [], CUT) == blocks
    assert stitch_blocks([], blocks, CUT) == blocks


@pytest.mark.parametrize("num_words", [1, 20, 40])
def test_as_much_as_a_model_can_write_is_stitched_in_seconds(num_words: int) -> None:
    """Two answers of 8,192 words, all of it boxed in the overlap, and never the same."""
    halves = [
        [
            block(
                " ".join(f"{half}{(7 * n + k) % 50} and" for k in range(num_words // 2 + 1)),
                490,
                510,
            )
            for n in range(8192 // (num_words + 1))
        ]
        for half in ("a", "b")
    ]
    start = time.process_time()
    assert stitch_blocks(*halves, CUT)
    assert time.process_time() - start < 20


# A reader that makes no mistake: what is printed in a half, by what the held-out pages say.


@dataclass(frozen=True)
class PrintedPage:
    """A page's lines with their boxes, and the pixels they were printed on."""

    pixels: np.ndarray
    lines: list[Block]

    @classmethod
    def load(cls, name: str) -> "PrintedPage":
        pixels = np.asarray(Image.open(HELDOUT / name).convert("RGB"))
        height, width = pixels.shape[:2]
        lines = parse_grounding(PAGES[name]["lines"], width, height, refs_hold_text=True)
        return cls(pixels, lines)

    def read(self, first: int, last: int) -> list[Block]:
        """The lines that lie in these rows, or mostly do; boxes are the page's."""
        return [line for line in self.lines if _middle(line) >= first and _middle(line) < last]


def _middle(line: Block) -> float:
    assert line.box is not None
    return (line.box.y0 + line.box.y1) / 2


CUTTABLE = sorted(
    name
    for name, page in PAGES.items()
    if not name.startswith(("latin-small-00", "scan-small-00", "scan-small-01", "table-small-00"))
)


@pytest.mark.parametrize("name", CUTTABLE)
def test_lines_of_a_real_page_read_in_halves_are_those_of_the_page(name: str) -> None:
    page = PrintedPage.load(name)
    cut = cut_in_halves(page.pixels)
    assert cut is not None
    upper, lower = page.read(0, cut.upper_end), page.read(cut.lower_start, page.pixels.shape[0])
    assert texts(stitch_blocks(upper, lower, cut)) == texts(page.lines)


@pytest.mark.parametrize("name", CUTTABLE)
def test_no_line_of_a_real_page_is_cut_through(name: str) -> None:
    page = PrintedPage.load(name)
    cut = cut_in_halves(page.pixels)
    assert cut is not None
    for edge in (cut.lower_start, cut.upper_end):
        # The boxes are a little higher than the letters in them.
        assert not [
            line.text
            for line in page.lines
            if line.box is not None
            and line.box.y0 + 0.2 * (line.box.y1 - line.box.y0) < edge
            and edge < line.box.y1 - 0.2 * (line.box.y1 - line.box.y0)
        ]


def paragraphs(page: PrintedPage, name: str, first: int, last: int) -> list[Block]:
    """The page's blocks as far as their lines lie in these rows: what a reader of a half sees."""
    height, width = page.pixels.shape[:2]
    blocks = parse_grounding(PAGES[name]["markdown"], width, height, refs_hold_text=False)
    seen: list[Block] = []
    for whole in blocks:
        lines = [line for line in page.read(first, last) if _is_inside(line, whole)]
        if lines:
            boxes = tuple(line.box for line in lines if line.box is not None)
            around = Block(whole.label, " ".join(texts(lines)), boxes).box
            assert around is not None
            seen.append(Block(whole.label, " ".join(texts(lines)), (around,)))
    return seen


def _is_inside(line: Block, whole: Block) -> bool:
    if line.box is None or whole.box is None:  # text behind a tag that is printed on the page
        return False
    x = (line.box.x0 + line.box.x1) / 2
    in_rows = whole.box.y0 <= _middle(line) <= whole.box.y1
    return in_rows and whole.box.x0 <= x <= whole.box.x1


WITHOUT_TABLES = [name for name in CUTTABLE if "<table" not in PAGES[name]["markdown"]]


@pytest.mark.parametrize("name", WITHOUT_TABLES)
def test_paragraphs_of_a_real_page_read_in_halves_are_those_of_the_page(name: str) -> None:
    page = PrintedPage.load(name)
    cut = cut_in_halves(page.pixels)
    assert cut is not None
    height = page.pixels.shape[0]
    upper, lower = (
        paragraphs(page, name, 0, cut.upper_end),
        paragraphs(page, name, cut.lower_start, height),
    )
    stitched = " ".join(texts(stitch_blocks(upper, lower, cut)))
    assert stitched == " ".join(texts(paragraphs(page, name, 0, height)))
