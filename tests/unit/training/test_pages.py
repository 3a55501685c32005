import random
from itertools import islice

import numpy as np
import pytest

from tests.unit.training.conftest import WORDS
from training.answers import draw_task, grounded_lines, grounded_markdown
from training.atlas import Atlas
from training.batches import MAX_SLOT_BYTES, BatchArrays, BatchPlan, PageFactory, draw_plan
from training.canvas import Canvas
from training.corpus import Corpus
from training.layout import set_page
from training.page import Block, Page
from training.scoring import parse_tags
from training.typesetting import Column, Typesetter
from training.vocabulary import PageTokenizer

KINDS = ["line", "paragraph", "table", "page", "columns", "blocks"]


def print_page(atlas: Atlas, kind: str, seed: int) -> tuple[Page, np.ndarray]:
    ink, labels = np.zeros((480, 640), np.uint8), np.zeros((60, 160), np.uint8)
    corpus = Corpus(WORDS, random.Random(seed))
    canvas = Canvas(atlas, ink, labels)
    return set_page(canvas, atlas, corpus, kind=kind, sizes=(11, 30), budget=600), ink


def fill(atlas: Atlas, tokenizer: PageTokenizer, seed: str, corruption: float = 1.0) -> BatchArrays:
    plan = BatchPlan(index=7, mode="base", width=300, height=420)
    arrays = BatchArrays.in_buffer(memoryview(bytearray(MAX_SLOT_BYTES)), plan)
    PageFactory(atlas, WORDS, tokenizer).fill(plan, arrays, seed, corruption=corruption)
    return arrays


def test_a_batch_is_the_same_from_the_same_seed(box_atlas: Atlas, tokenizer: PageTokenizer) -> None:
    first, again, other = (fill(box_atlas, tokenizer, seed) for seed in ("1", "1", "2"))
    assert np.array_equal(first.ink, again.ink)
    assert np.array_equal(first.ids, again.ids)
    assert not np.array_equal(first.ids, other.ids)


def test_pages_are_the_same_however_much_of_what_was_written_is_wrong(
    box_atlas: Atlas, tokenizer: PageTokenizer
) -> None:
    right, wrong = (fill(box_atlas, tokenizer, "1", corruption) for corruption in (0.0, 1.0))
    assert np.array_equal(right.ink, wrong.ink)
    assert not np.array_equal(right.written, wrong.written)


def test_a_plan_is_the_same_from_the_same_seed() -> None:
    assert [draw_plan(0, index, "all") for index in range(50)] == [
        draw_plan(0, index, "all") for index in range(50)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_is_inside_its_page(box_atlas: Atlas, kind: str) -> None:
    for seed in range(20):
        page, _ = print_page(box_atlas, kind, seed)
        assert page.lines
        for x0, y0, x1, y1 in (line.box for line in page.lines):
            assert -1 <= x0 < x1 <= page.width + 1
            assert 0 <= y0 < y1 <= page.height


def test_word_spaces_differ_from_page_to_page_and_keep_the_margins(box_atlas: Atlas) -> None:
    widths = set()
    for seed in range(40):
        page, _ = print_page(box_atlas, "paragraph", seed)
        assert all(line.box[2] <= page.width for line in page.lines)
        widths |= {
            round((line.box[2] - line.box[0]) / len(line.text) / (line.box[3] - line.box[1]), 3)
            for line in page.lines
        }
    assert len(widths) > 40


def test_an_echo_says_its_few_words_again_and_again() -> None:
    words = list(islice(Corpus(WORDS, random.Random(3)).stream("echo"), 300))
    assert len(set(words)) < 100
    assert words[:3] == words[:1] * 3 or any(words[:n] == words[n : 2 * n] for n in (2, 3, 4))


def test_sentences_of_few_words_say_them_often() -> None:
    words = [f"w{number}" for number in range(5000)]
    stream = Corpus(dict.fromkeys(WORDS, words), random.Random(4)).stream("few")
    letters = "".join(islice(stream, 400)).lower()
    assert len({part for part in letters.split("w") if part}) < 150


def test_variations_are_mostly_the_same() -> None:
    words = [f"w{number}" for number in range(5000)]
    stream = Corpus(dict.fromkeys(WORDS, words), random.Random(4)).stream("variations")
    said = list(islice(stream, 400))
    near = [word in said[max(0, place - 15) : place] for place, word in enumerate(said)]
    assert 0.4 < np.mean(near) < 0.95


def test_verses_begin_alike(box_atlas: Atlas) -> None:
    ink, labels = np.zeros((480, 640), np.uint8), np.zeros((60, 160), np.uint8)
    corpus = Corpus(WORDS, random.Random(2))
    setter = Typesetter(Canvas(box_atlas, ink, labels), box_atlas, corpus, (11, 14), 600)
    setter.verses(Column(10, 630, 10, 470), setter.style())
    (block,) = setter.page.blocks
    beginnings = [line.text.split()[0] for line in block.lines]
    assert len(beginnings) >= 3
    assert len(set(beginnings)) < len(beginnings)
    assert block.markdown == (" ".join(line.text for line in block.lines),)


def test_some_pages_hold_text_alone(box_atlas: Atlas) -> None:
    pages = [print_page(box_atlas, "page", seed)[0] for seed in range(60)]
    are_plain = [{block.label for block in page.blocks} <= {"title", "text"} for page in pages]
    assert 20 < sum(are_plain) < 50


def test_columns_are_set_in_small_and_in_large_type(box_atlas: Atlas) -> None:
    heights = set()
    for seed in range(40):
        ink, labels = np.zeros((1752, 1240), np.uint8), np.zeros((219, 310), np.uint8)
        corpus = Corpus(WORDS, random.Random(seed))
        canvas = Canvas(box_atlas, ink, labels)
        page = set_page(canvas, box_atlas, corpus, kind="columns", sizes=(11, 36), budget=2000)
        heights |= {
            block.lines[0].box[3] - block.lines[0].box[1]
            for block in page.blocks
            if block.label == "text"
        }
    # Of a type of 24 pixels and of one of 12, in the boxes' font.
    assert min(heights) <= 11
    assert max(heights) >= 22


def test_few_answers_are_cut(box_atlas: Atlas, tokenizer: PageTokenizer) -> None:
    for mode, side in (("small", 640), ("base", 1024)):
        plan = BatchPlan(index=1, mode=mode, width=side, height=side)
        arrays = BatchArrays.in_buffer(memoryview(bytearray(MAX_SLOT_BYTES)), plan)
        PageFactory(box_atlas, WORDS, tokenizer).fill(plan, arrays, "0")
        assert (arrays.spans[:, 1] == plan.recipe.max_tokens).mean() < 0.03


def test_pages_with_pictures_are_mostly_asked_where_these_are() -> None:
    page = Page(100, 100, [Block("image", (10, 10, 50, 50))])
    rng = random.Random(0)
    prompts = ["".join(map(str, draw_task(page, rng)[0])) for _ in range(300)]
    assert (
        0.4 < sum("markdown" in prompt and "grounding" in prompt for prompt in prompts) / 300 < 0.7
    )


def test_numbers_of_two_digits_come_only_beside_novel_words() -> None:
    def share(novel_share: float) -> float:
        corpus = Corpus(WORDS, random.Random(5), novel_share=novel_share)
        numbers = [corpus.number() for _ in range(2000)]
        long = [set(filter(str.isdigit, n)) for n in numbers if sum(map(str.isdigit, n)) > 5]
        return sum(len(digits) <= 2 for digits in long) / len(long)

    assert share(0.0) < 0.01
    assert 0.08 < share(0.45) < 0.18


def test_sentences_of_novel_words_end_in_all_signs() -> None:
    words = islice(Corpus(WORDS, random.Random(2), novel_share=0.45).stream("sentences"), 20_000)
    ends = [word[-1] for word in words if word[-1] in ".!?"]
    assert 0.15 < ends.count("!") / len(ends) < 0.3
    assert 0.1 < ends.count("?") / len(ends) < 0.25


@pytest.mark.parametrize("style", ["markup", "mixed", "code", "few", "variations"])
def test_a_stream_never_yields_a_blank(style: str) -> None:
    words = list(islice(Corpus(WORDS, random.Random(3)).stream(style), 300))
    assert all(word and " " not in word for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_has_ink_in_its_box(box_atlas: Atlas, kind: str) -> None:
    page, ink = print_page(box_atlas, kind, seed=3)
    for line in page.lines:
        x0, y0, x1, y1 = map(int, line.box)
        assert ink[y0:y1, max(0, x0) : x1].any()


def test_a_page_that_is_moved_moves_its_boxes(box_atlas: Atlas) -> None:
    page, _ = print_page(box_atlas, "paragraph", seed=1)
    moved = page.transformed(np.eye(2), np.array([3.0, -2.0]))
    for line, other in zip(page.lines, moved.lines, strict=True):
        assert np.allclose(np.array(other.box) - np.array(line.box), (3, -2, 3, -2))


def test_the_grounded_answers_hold_every_line_and_block(box_atlas: Atlas) -> None:
    page, _ = print_page(box_atlas, "page", seed=5)
    for make, count in ((grounded_lines, len(page.lines)), (grounded_markdown, len(page.blocks))):
        answer = "".join(p if isinstance(p, str) else p[0] for p in make(page)[1])
        assert answer.count("<|det|>") == count
    assert len(parse_tags(answer)) == len(page.blocks)
