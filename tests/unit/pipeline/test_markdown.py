"""Blocks as Markdown and as plain text: the page's meaning stays, HTML does not get through."""

import random
import re
import time

import pytest

from folio.pipeline.grounding import parse_grounding, ungrounded
from folio.pipeline.markdown import figure_boxes, to_markdown, to_plain_text
from folio.pipeline.results import Block, BoundingBox

BOX = BoundingBox(0, 0, 10, 10)
OTHER_BOX = BoundingBox(20, 20, 30, 30)


def block(label: str, text: str, *boxes: BoundingBox) -> Block:
    return Block(label, text, boxes or (BOX,))


def line(text: str) -> Block:
    return Block("text", text, (BOX,), is_verbatim=True)


def markdown(*blocks: Block) -> str:
    return to_markdown(blocks)


def plain(*blocks: Block) -> str:
    return to_plain_text(blocks)


def test_blocks_are_a_blank_line_apart() -> None:
    assert markdown(block("text", "a"), block("text", "b")) == "a\n\nb"
    assert plain(block("text", "a"), block("text", "b")) == "a\n\nb"


def test_lines_of_ocr_stand_under_each_other() -> None:
    assert plain(line("a"), line("b"), block("text", "c"), line("d")) == "a\nb\n\nc\n\nd"


def test_headings_stay_as_the_model_wrote_them() -> None:
    assert markdown(block("title", "### A")) == "### A"


@pytest.mark.parametrize(("label", "expected"), [("title", "# A b"), ("sub_title", "## A b")])
def test_headings_without_signs_get_them_by_label(label: str, expected: str) -> None:
    assert markdown(block(label, "A\nb")) == expected


def test_what_follows_a_heading_in_its_block_stays_below_it() -> None:
    assert markdown(block("title", "# A\nBody <b>")) == "# A\n\nBody &lt;b>"


def test_a_heading_that_ends_in_a_sign_keeps_it() -> None:
    assert markdown(block("title", "# About C #")) == "# About C \\#"


def test_plain_headings_have_no_signs() -> None:
    assert plain(block("title", "# A"), block("text", "## B")) == "A\n\nB"


CODE = "# first comment\nx = 1\n# second comment"


def test_code_lines_that_begin_with_a_sign_are_no_headings() -> None:
    assert markdown(block("text", CODE)) == "\\# first comment\nx = 1\n\\# second comment"
    assert plain(block("text", CODE)) == CODE


def test_text_without_boxes_keeps_the_models_markdown() -> None:
    assert to_markdown(ungrounded("# A\n\n- b\n")) == "# A\n\n- b"


TABLE = '<table><tr><td colspan="2">a</td></tr><tr><td>1</td><td>2 &amp; <lazy></td></tr></table>'


def test_tables_stay_html_tables() -> None:
    expected = TABLE.replace("&amp;", "&amp;amp;").replace("<lazy>", "&lt;lazy>")
    assert markdown(block("table", TABLE)) == expected


def test_plain_tables_are_tab_separated_rows() -> None:
    assert plain(block("table", "Above\n" + TABLE)) == "Above\na\t\n1\t2 &amp; <lazy>"


def test_text_around_a_table_is_kept() -> None:
    table = "<table><tr><td>1</td></tr></table>"
    assert markdown(block("text", f"a\n{table}\nb")) == f"a\n\n{table}\n\nb"


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>",
        "<table><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<table><tr><tr><td>a</td><td>b</td><tr><td>c</td><td>d</td></tr></tr></table>",
        "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d",
        "<table><thead><tr><th>a</th><th>b</th></thead><tr><td>c</td><td> d\n</td></tr></table>",
        '<TABLE border="1"><TR><TD style="x: y">a</TD><TD>b</TD></TR><TR><TD>c<TD>d</TABLE>',
    ],
)
def test_rows_are_read_however_the_table_is_closed(table: str) -> None:
    assert plain(block("table", table)) == "a\tb\nc\td"


def test_cells_that_span_rows_leave_their_place_free() -> None:
    table = "<table><tr><td rowspan=2>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    assert plain(block("table", table)) == "a\tb\n\tc"


def test_text_outside_of_cells_is_kept() -> None:
    table = "<table>One<tr>Two<td>a</td>Three</tr></table>"
    assert plain(block("table", table)) == "One\nTwo\na\nThree"


def test_a_huge_span_does_not_fill_the_memory() -> None:
    table = '<table><tr><td colspan="9999" rowspan="9999">a</td></tr></table>'
    assert len(plain(block("table", table))) <= 100


def test_a_table_that_was_cut_off_is_closed() -> None:
    assert markdown(block("table", "<table><tr><td>a")) == "<table><tr><td>a</table>"


def test_blank_lines_inside_a_table_would_end_it() -> None:
    table = "<table>\n\n<tr><td>a\n \nb</td></tr></table>"
    assert markdown(block("table", table)) == "<table>\n<tr><td>a\nb</td></tr></table>"


@pytest.mark.parametrize("attribute", [' onclick="x()"', " onload=x", ' style="a" onfocus=x', "/"])
def test_table_tags_with_other_attributes_are_text(attribute: str) -> None:
    table = f"<table><tr><td>a</td><td{attribute}>b</td></tr></table>"
    assert f"&lt;td{attribute}>" in markdown(block("table", table))


def test_the_word_table_in_tags_is_text() -> None:
    assert markdown(block("text", "Use <table> and <td>.")) == "Use &lt;table> and &lt;td>."
    assert plain(block("text", "Use <table> and <td>.")) == "Use <table> and <td>."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("a <lazy> b & c", "a &lt;lazy> b & c"),
        ("<!-- c --> <?x?> <https://x.y>", "&lt;!-- c --> &lt;?x?> &lt;https://x.y>"),
        ("3 < 4 and a <- b", "3 < 4 and a <- b"),
        ("&lt; &amp; &#60; &x; AT&T;", "&amp;lt; &amp;amp; &amp;#60; &amp;x; AT&amp;T;"),
        ("`<b>`", "&#96;&lt;b>&#96;"),
        ("`a` b", "`a` b"),
        ("![x](http://tracker)", "!\\[x](http://tracker)"),
        ("__import__('os')", "__import__('os')"),
        ("\\(a<b\\) and <b>", "\\(a< b\\) and &lt;b>"),
        ("\\[x \\\\[2pt] y<z \\]", "\\[x \\\\[2pt] y< z \\]"),
        ("\\( open <b> and \\[x<y\\]", "\\( open &lt;b> and \\[x< y\\]"),
    ],
)
def test_what_a_renderer_would_take_for_html_is_escaped(text: str, expected: str) -> None:
    assert markdown(block("text", text)) == expected
    assert plain(block("text", text)) == text


def test_fenced_code_is_left_alone() -> None:
    code = "```html\n<b>&amp;</b>\n```"
    assert markdown(block("code", f"{code}\n<b>")) == f"{code}\n&lt;b>"


@pytest.mark.parametrize(
    "text",
    [
        "```\n<script>",
        "- ```\n  ```\n<script>\n  ```",
        "- a\n  ```\n<script>\n  ```",
        "> ```\n<script>\n> ```",
        "~~~\n```\n~~~\n<script>\n```",
        "````\n```\n<script>",
        "a ```\n<script>\n``` b",
        "`a\n<script>` `",
        "\\`<script>`",
        "    ```\n<script>\n    ```",
        "<table>\n<script>\n</table>",
        "<table><tr><td><script>",
        "<table><tr><td>a</td></tr></table><script>",
        "\\(<script>\\)",
        "\\(`\\) <script> `",
    ],
)
def test_no_trick_gets_a_tag_out_of_markdown(text: str) -> None:
    assert "<script" not in _outside_of_code(markdown(block("text", text)))
    assert "<script" not in _outside_of_code(to_markdown(ungrounded(text)))


def _outside_of_code(text: str) -> str:
    return re.sub(r"^(```|~~~)[^\n]*\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# 5 items", "\\# 5 items"),
        ("#hashtag", "#hashtag"),
        ("*not* bold", "\\*not\\* bold"),
        ("snake_case __init__ _x_", "snake_case \\_\\_init\\_\\_ \\_x\\_"),
        ("---", "\\---"),
        ("===", "\\==="),
        ("> quoted", "\\> quoted"),
        ("C:\\*.*", "C:\\\\\\*.\\*"),
        ("[a](b)", "[a\\](b)"),
        ("`x` <b> &lt;", "\\`x\\` &lt;b> &amp;lt;"),
        ("1. One - two", "1. One - two"),
    ],
)
def test_signs_in_a_line_as_printed_mean_themselves(text: str, expected: str) -> None:
    assert markdown(line(text)) == expected
    assert plain(line(text)) == text


def test_coloneqq_is_written_out() -> None:
    assert plain(block("text", "a \\coloneqq b \\coloneqqx")) == "a := b \\coloneqqx"
    assert markdown(block("equation", "\\[a \\coloneqq b\\]")) == "\\[a := b\\]"


def test_centering_around_a_caption_is_taken_off() -> None:
    caption = block("image_caption", "<center>Figure 1: A <b></center>")
    assert markdown(caption) == "Figure 1: A &lt;b>"
    assert plain(caption) == "Figure 1: A <b>"


def test_a_figure_without_a_link_leaves_no_trace() -> None:
    assert markdown(block("image", ""), block("image_caption", "Figure 1")) == "Figure 1"


def test_figures_are_linked_box_by_box() -> None:
    links = {BOX: "images/1.png", OTHER_BOX: "images/2.png"}
    page = [block("image", "", BOX, OTHER_BOX), block("text", "x", BOX)]
    assert figure_boxes(page) == [BOX, OTHER_BOX]
    assert to_markdown(page, figure_links=links) == "![](images/1.png)\n\n![](images/2.png)\n\nx"


HOSTILE = [
    "<table>",
    "<table><td ",
    "<table><td>",
    "```a\n",
    "```\n",
    "\\(",
    "`",
    "<td>",
    "# ",
    "- ",
]


@pytest.mark.parametrize("pattern", [*HOSTILE, "<table ", "&a", "_", "![", "<center>", "\n\n"])
def test_100_kb_of_hostile_text_take_linear_time(pattern: str) -> None:
    text = pattern * (100_000 // len(pattern)) + "."
    blocks = [block("title", text), line(text), *ungrounded(text)]
    started_at = time.thread_time()
    to_markdown(blocks)
    to_plain_text(blocks)
    assert time.thread_time() - started_at < 3.0


def test_every_character_of_a_page_survives_in_the_plain_text() -> None:
    rng = random.Random(7)
    words = [
        "Word",
        "<b>",
        "&",
        "<table>",
        "<tr>",
        "<td>",
        "</td>",
        "</table>",
        "```",
        "# ",
        "\n",
        "|",
    ]
    for _ in range(2000):
        text = " ".join(rng.choices(words, k=rng.randint(1, 20)))
        kept = plain(Block("text", text))
        assert _letters(text) == _letters(kept), text


def _letters(text: str) -> list[str]:
    without_tables = re.sub(r"</?(?:table|tr|td)>", "", text)
    return sorted(without_tables.replace(" ", "").replace("\n", "").replace("\t", ""))


def test_a_page_with_tags_script_and_python_on_it_comes_back_as_text() -> None:
    lines = ["A tag: <|ref|> here", "<script>alert(1)</script>", "__import__('os')"]
    raw = "\n".join(f"<|ref|>{text}<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>" for text in lines)
    assert plain(*parse_grounding(raw, 100, 100)) == "\n".join(lines)
