"""The model's answer as blocks: both styles, every quirk seen in real output, nothing lost."""

import random
import time

import pytest

from folio.pipeline.grounding import LABELS, parse_grounding, ungrounded
from folio.pipeline.results import Block, BoundingBox

SIZE = 999  # a page on which thousandths are pixels


def tag(ref: str, boxes: str = "[[1, 2, 30, 40]]") -> str:
    return f"<|ref|>{ref}<|/ref|><|det|>{boxes}<|/det|>"


def parse(raw_text: str, *, refs_hold_text: bool | None = None) -> list[Block]:
    return parse_grounding(raw_text, SIZE, SIZE, refs_hold_text=refs_hold_text)


def labels_and_texts(raw_text: str) -> list[tuple[str, str]]:
    return [(block.label, block.text) for block in parse(raw_text)]


BOX = BoundingBox(1, 2, 30, 40)
PAGE = f"{tag('title')}\n# Hello\n\n{tag('text')}\nTwo\nlines.\n"


def test_markdown_style_has_labels_in_its_tags_and_text_behind_them() -> None:
    assert parse(PAGE) == [
        Block("title", "# Hello", (BOX,)),
        Block("text", "Two\nlines.", (BOX,)),
    ]


def test_ocr_style_has_the_text_in_its_tags() -> None:
    assert parse(f"{tag('First line')}\n{tag('second')}\n") == [
        Block("text", "First line", (BOX,), is_verbatim=True),
        Block("text", "second", (BOX,), is_verbatim=True),
    ]


def test_boxes_are_pixels_of_the_page() -> None:
    (block,) = parse_grounding(tag("x y", "[[0, 0, 999, 500]]"), 1240, 1754)
    assert block.box == BoundingBox(0, 0, 1240, 878)


def test_a_line_that_reads_like_a_label_is_text_among_lines() -> None:
    raw = "\n".join(tag(line) for line in ["Contents", "title", "table", "The end"])
    assert [block.text for block in parse(raw)] == ["Contents", "title", "table", "The end"]


def test_labels_alone_are_text_where_no_text_follows_them() -> None:
    assert [block.text for block in parse(f"{tag('text')}\n{tag('title')}")] == ["text", "title"]


def test_figures_have_labels_and_no_text() -> None:
    assert parse(tag("image")) == [Block("image", "", (BOX,))]


def test_the_word_image_is_text_where_text_was_asked_for() -> None:
    (block,) = parse(tag("image"), refs_hold_text=True)
    assert block.text == "image"


def test_empty_blocks_have_labels_where_labels_were_asked_for() -> None:
    blocks = parse(f"{tag('image')}\n{tag('table')}", refs_hold_text=False)
    assert [(block.label, block.text) for block in blocks] == [("image", ""), ("table", "")]


def test_lines_are_text_even_where_labels_were_asked_for() -> None:
    assert parse(tag("A line"), refs_hold_text=False)[0].text == "A line"


def test_an_unknown_label_among_labels_is_a_label() -> None:
    assert labels_and_texts(PAGE + tag("side_note") + "\nPsst.")[-1] == ("side_note", "Psst.")


def test_an_unknown_word_among_labels_is_kept_as_text() -> None:
    raw = PAGE + tag("Chapter") + "\nPsst."
    assert labels_and_texts(raw)[-2:] == [("text", "Chapter"), ("text", "Psst.")]


def test_text_before_the_first_tag_is_kept() -> None:
    assert parse("Before.\n" + PAGE)[0] == Block("text", "Before.")


def test_text_without_any_tag_is_kept() -> None:
    assert parse("Just text.\n") == [Block("text", "Just text.")]


def test_an_empty_answer_has_no_blocks() -> None:
    assert parse(" \n") == []


def test_a_ref_without_det_keeps_label_and_text() -> None:
    assert labels_and_texts("<|ref|>title<|/ref|>\n# A\n" + PAGE)[0] == ("title", "# A")


def test_a_ref_with_text_without_det_keeps_its_text() -> None:
    raw = f"<|ref|>A line<|/ref|>\n{tag('Next line')}"
    assert [block.text for block in parse(raw)] == ["A line", "Next line"]


def test_an_unclosed_det_keeps_its_box_and_text() -> None:
    raw = f"<|ref|>title<|/ref|><|det|>[[1, 2, 30, 40]]\n# A [1]\n{PAGE}"
    assert parse(raw)[0] == Block("title", "# A [1]", (BOX,))


def test_an_unclosed_det_with_an_unclosed_list_keeps_its_text() -> None:
    raw = f"<|ref|>title<|/ref|><|det|>[[1, 2, 30, 40\n\nA 2nd\n{PAGE}"
    assert parse(raw)[0] == Block("title", "A 2nd", (BOX,))


def test_an_answer_cut_off_in_its_coordinates_keeps_everything_before() -> None:
    blocks = parse(PAGE + "<|ref|>table<|/ref|><|det|>[[12, 3")
    assert [block.text for block in blocks] == ["# Hello", "Two\nlines.", ""]


def test_an_answer_cut_off_in_a_line_keeps_its_beginning() -> None:
    assert [block.text for block in parse(tag("One line") + "\n<|ref|>Two li")][-1] == "Two li"


def test_several_boxes_in_one_det_belong_to_one_block() -> None:
    (block,) = parse(tag("two columns", "[[1, 2, 30, 40], [50, 60, 70, 80]]"))
    assert block.boxes == (BOX, BoundingBox(50, 60, 70, 80))
    assert block.box == BoundingBox(1, 2, 70, 80)


def test_a_coordinate_of_1000_is_the_edge() -> None:
    (block,) = parse(tag("a b", "[[0, 0, 1000, 1000]]"))
    assert block.box == BoundingBox(0, 0, SIZE, SIZE)


def test_inverted_boxes_are_turned_and_empty_ones_kept() -> None:
    (block,) = parse(tag("a b", "[[30, 40, 1, 2], [7, 7, 7, 7]]"))
    assert block.boxes == (BOX, BoundingBox(7, 7, 8, 8))


def test_endless_digits_end_the_answer_but_not_the_page() -> None:
    blocks = parse(PAGE + "<|ref|>text<|/ref|><|det|>[[1, 2, 30, 4" + "0" * 50_000)
    assert blocks[1].text == "Two\nlines."
    assert blocks[2].box == BoundingBox(1, 2, 30, SIZE)


def test_full_width_brackets_and_commas_are_read() -> None:
    boxes = "\uff3b\uff3b1\uff0c2\uff0c30\uff0c40\uff3d\uff3d"
    assert parse(tag("a b", boxes))[0].boxes == (BOX,)


@pytest.mark.parametrize(
    "opening",
    [
        "<|ref|>title<|/ref|> <|det|>[[1, 2, 30, 40]]<|/det|>",
        "<|ref|>title<|/ref|>\n<|det|>[[1, 2, 30, 40]]<|/det|>",
        "<| ref |>title<|/ ref|><|det |>[[1, 2, 30, 40]]< |/det|>",
        "<\uff5cref\uff5c>title<\uff5c/ref\uff5c><|det|>[[1, 2, 30, 40]]<|/det|>",
        "<|ref|> title\n<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>",
        "<|ref|>title<|det|>[[1, 2, 30, 40]]<|/det|>",
        "<|ref|>title<|/ref|>[[1, 2, 30, 40]]<|/det|>",
    ],
)
def test_split_and_missing_tags_are_read(opening: str) -> None:
    assert parse(f"{opening}\n# A\n{PAGE}")[0] == Block("title", "# A", (BOX,))


def test_stray_characters_between_tags_are_kept_as_text() -> None:
    raw = f"<|ref|>title<|/ref|>.<|det|>[[1, 2, 30x, 40]]<|/det|>\n# A\n{PAGE}"
    assert parse(raw)[0] == Block("title", ".x\n# A", (BOX,))


def test_text_inside_a_det_is_kept() -> None:
    raw = f"<|ref|>text<|/ref|><|det|>[[1, 2, 30, 40]] In [1] we saw<|/det|> more.\n{PAGE}"
    assert parse(raw)[0] == Block("text", "In [1] we saw\nmore.", (BOX,))


def test_a_det_without_ref_is_a_box_of_the_text_behind_it() -> None:
    assert parse("<|det|>[[1, 2, 30, 40]]<|/det|>Text.") == [Block("text", "Text.", (BOX,))]


def test_a_stray_ref_before_a_real_one_does_not_swallow_its_label() -> None:
    assert parse("<|ref|>" + PAGE)[-2:] == parse(PAGE)


def test_an_unclosed_ref_does_not_swallow_the_next_block() -> None:
    blocks = parse("<|ref|>title\n# A\n" + PAGE)
    assert blocks[-2:] == parse(PAGE)
    assert "# A" in blocks[0].text


def test_a_caption_between_a_tables_tag_and_the_table_is_taken_out() -> None:
    table = "<table><tr><td>1</td></tr></table>"
    raw = f"{tag('table')}\n{tag('table_caption')}\nTable 1: Numbers\n\n{table}\nAs of May.\n"
    assert labels_and_texts(raw) == [
        ("table_caption", "Table 1: Numbers\nAs of May."),
        ("table", table),
    ]


def test_a_caption_below_the_table_stays_below_it() -> None:
    table = "<table><tr><td>1</td></tr></table>"
    raw = f"{tag('table')}\n{tag('table_footnote')}\n{table}\nSource: us\n"
    assert labels_and_texts(raw) == [("table", table), ("table_footnote", "Source: us")]


def test_an_empty_table_before_another_table_stays_empty() -> None:
    table = "<table><tr><td>1</td></tr></table>"
    assert labels_and_texts(f"{tag('table')}\n{tag('table')}\n{table}") == [
        ("table", ""),
        ("table", table),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\\[[1, 2, 3, 4]\\]",
        "[[1, 2, 3, 4]] is a matrix",
        "# include <stdio.h>\n#define A\n    indented",
        "<lazy> & <b>bold</b> &amp;",
        "a \\coloneqq b",
        "<script>alert(1)</script>",
        "__import__('os').system('x')",
        "<table><tr><tr><td>1</td></tr></tr></table>",
    ],
)
def test_text_that_looks_like_something_else_is_kept_as_it_is(text: str) -> None:
    assert parse(f"{tag('text')}\n{text}\n{PAGE}")[0] == Block("text", text, (BOX,))


@pytest.mark.parametrize(
    "line",
    [
        "<|ref|>",
        "<|/ref|>",
        "The tag <|ref|> opens",
        "and <|/ref|> closes.",
        "<|det|>",
        "<|ref|>a<|/ref|>",
        "<script>alert('x')</script>",
        "__import__('os')",
    ],
)
def test_what_is_printed_on_a_page_comes_back_as_text(line: str) -> None:
    blocks = parse(f"{tag('A first line')}\n{tag(line)}\n{tag('A last line')}")
    assert "\n".join(block.text for block in blocks) == f"A first line\n{line}\nA last line"


def test_an_ungrounded_answer_keeps_even_whole_tags_as_text() -> None:
    assert ungrounded(PAGE) == [Block("text", PAGE.strip())]


def test_the_first_line_keeps_its_indentation() -> None:
    assert parse(f"{tag('code')}\n\n    if x:\n        pass\n")[0].text == "    if x:\n        pass"


HOSTILE = [
    "<|ref|>",
    "<|/ref|>",
    "<|det|>",
    "<|/det|>",
    "<|det|>[",
    "[[[[",
    "<|ref|><|/ref|>",
    "<|ref|><|det|>",
    "<|ref|>a<|/ref|><|det|>[[",
    "<|ref|>a<|/ref|><|det|>[[1,2,3,4]]<|/det|>",
    "<|ref|>table<|/ref|>\n",
    "<|det|>9",
    "\n ",
    "<| ",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_100_kb_of_hostile_input_take_linear_time(pattern: str) -> None:
    def measure(num_characters: int) -> float:
        raw = tag("title")[:-8] + pattern * (num_characters // len(pattern))
        started_at = time.thread_time()
        parse(raw)
        return time.thread_time() - started_at

    # A quadratic parser would take minutes; the time is of the CPU, whatever else the machine does.
    assert measure(100_000) < 2.0


def random_answer(rng: random.Random) -> str:
    """A page as a broken model might write it. Digits are left to coordinates."""
    words = [
        "Alpha",
        "beta,",
        "\u00e4\u00f6\u00fc",
        "<b>",
        "&",
        "\\[",
        "\\]",
        "$x$",
        "(see)",
        "#",
        "'",
        "|",
    ]
    pieces = [
        lambda: " ".join(rng.choices(words, k=rng.randint(1, 6))),
        lambda: "\n",
        lambda: tag(rng.choice(["title", "text", "image", "table"])) + "\n",
        lambda: tag(" ".join(rng.choices(words, k=3))),
        lambda: f"<|ref|>{rng.choice(words)} {rng.choice(words)}<|/ref|>",
        lambda: "<|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]",
        lambda: "<|ref|>text<|/ref|><|det|>[[1, 2",
        lambda: tag("text", "[[9, 9], [1, 2, 3, 4], [5, 5, 5, 5]]"),
        lambda: tag("text", "[[1, 2, q3, 4]]"),
        lambda: tag("text", "[[1, 2, 3, 4]] Inside"),
        lambda: rng.choice(["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"]),
        lambda: "<table><tr><td>cell</td></tr></table>",
    ]
    return "".join(rng.choice(pieces)() for _ in range(rng.randint(1, 25)))


def content(text: str) -> list[str]:
    """The characters that are page, sorted: no tags, labels, coordinates or spaces."""
    for name in ("ref", "/ref", "det", "/det"):
        text = text.replace(f"<|{name}|>", "\0")
    for label in ("title", "text", "image", "table"):
        text = text.replace(f"\0{label}\0", "")
    return sorted(character for character in text if character not in "\0[]0123456789,.() \n")


def test_every_character_of_the_page_survives_in_some_block() -> None:
    rng = random.Random(20261121)
    for _ in range(3000):
        raw = random_answer(rng)
        read = "\n".join(block.text for block in parse(raw))
        lost = content(raw)
        for character in content(read):
            if character in lost:
                lost.remove(character)
        assert not lost, f"lost {lost} of {raw!r}"


def test_random_cuts_of_a_page_are_always_read() -> None:
    page = PAGE * 3 + tag("A line", "[[1, 2, 3, 4], [5, 6, 7, 8]]")
    for end in range(len(page)):
        for block in parse(page[:end]):
            assert block.label in LABELS
            assert all(box.x0 < box.x1 and box.y0 < box.y1 for box in block.boxes)
