"""What may have been written out of place: wrong words, and right ones to write next."""

import random

import pytest

from training.answers import grounded_lines
from training.page import Block, Line, Page
from training.slips import (
    KINDS,
    Script,
    Slip,
    insert,
    line_again,
    line_left_out,
    omit,
    slip,
    words_again,
    words_left_out,
    words_of_another_line,
)
from training.vocabulary import EOS_ID, PAD_ID, PageTokenizer

TEXT = "one two three four five\nred green blue brown grey\nin out over under through"


def script_of(tokenizer: PageTokenizer, text: str = TEXT, *, line_length: int = 8) -> Script:
    return Script(
        [*tokenizer.encode([text]), EOS_ID],
        blanks=tokenizer.blank_ids,
        newline=tokenizer.newline_id,
        is_by_line="\n" in text,
        line_length=line_length,
    )


def told(tokenizer: PageTokenizer, tokens: list[int]) -> str:
    """Open places as dots."""
    return "".join("." if token == PAD_ID else tokenizer.decode([token]) for token in tokens)


def apply(script: Script, drawn: Slip) -> tuple[list[int], list[int]]:
    """All that is written and wanted with one slip."""
    ids = script.ids
    shown, wanted, done = insert(drawn, ids, script) if drawn.inserted else omit(drawn, ids, ids)
    return ids[: drawn.at] + shown + ids[done:], ids[: drawn.at] + wanted + ids[done:]


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_slip_the_answer_goes_on_as_it_should(
    kind: object, tokenizer: PageTokenizer
) -> None:
    script = script_of(tokenizer)
    num_drawn = 0
    for seed in range(200):
        rng = random.Random(seed)
        drawn = kind(script, rng.randrange(len(script.ids)), rng)  # type: ignore[operator]
        if drawn is None:
            continue
        num_drawn += 1
        written, wanted = apply(script, drawn)
        assert len(written) == len(wanted)
        assert written[-1] == wanted[-1] == EOS_ID
        left = [token for token in wanted if token != PAD_ID]
        # All that is wanted stands in the answer; what was written wrong is never wanted.
        assert set(left) <= set(script.ids)
        assert wanted[: drawn.at + 1] == script.ids[: drawn.at + 1]
    assert num_drawn > 40


def test_after_each_word_of_another_line_the_own_line_goes_on(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer)
    at, wrong = len(tokenizer.encode(["one two"])), tokenizer.encode([" blue brown"])
    written, wanted = apply(script, Slip(at, wrong))
    assert told(tokenizer, written).startswith("one two blue brown three four")
    three = tokenizer.encode([" three"])[0]
    starts = [k for k, token in enumerate(wrong) if token in tokenizer.blank_ids]
    assert [wanted[at + k] for k in starts] == [three] * len(starts)
    assert {wanted[at + k] for k in range(len(wrong)) if k not in starts} <= {PAD_ID}
    assert wanted[at + len(wrong) :] == script.ids[at:]


def test_a_wrong_word_that_is_the_right_one_is_no_slip(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer, "a b c d e f")
    at = len(tokenizer.encode(["a b"]))
    _, _, done = insert(Slip(at, tokenizer.encode([" c"])), script.ids, script)
    assert done == at + len(tokenizer.encode([" c"]))
    written, wanted = apply(script, Slip(at, tokenizer.encode([" b c"])))
    assert told(tokenizer, written)[:-5] == "a b b c d e f"
    assert told(tokenizer, wanted)[:-5] == "a b c c d e f"


def test_after_a_left_out_word_it_goes_on_behind_it(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer, "a b c d e f")
    at = len(tokenizer.encode(["a b"]))
    written, wanted = apply(script, Slip(at, num_omitted=1))
    assert told(tokenizer, written)[:-5] == "a b d e f"
    assert told(tokenizer, wanted)[:-5] == "a b c e f"


def test_words_come_from_the_same_place_of_a_line_near_by(tokenizer: PageTokenizer) -> None:
    rows = [" ".join(f"{letter}{letter}" for letter in "abcdefgh") for _ in range(5)]
    text = "\n".join(row.replace("a", str(number)) for number, row in enumerate(rows))
    script = script_of(tokenizer, text.replace("\n", "\n"))
    for seed in range(60):
        rng = random.Random(seed)
        place = rng.randrange(len(script.ids))
        drawn = words_of_another_line(script, place, rng)
        if drawn is not None:
            assert abs(drawn.at - place) <= 5
            first = drawn.inserted[0]
            assert first in script.blanks
            assert script.newline not in drawn.inserted
            # The rows are alike, so the word at the same place is the right one itself.
            assert first == script.ids[drawn.at]


def test_a_line_again_is_open_until_its_end(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer)
    drawn = line_again(script, script.lines[1] + 1, random.Random(0))
    assert drawn is not None
    written, wanted = apply(script, drawn)
    first, second, third = TEXT.split("\n")
    assert told(tokenizer, written)[:-5] == "\n".join([first, first, second, third])
    inserted = wanted[drawn.at : drawn.at + len(drawn.inserted)]
    assert inserted[0] == script.ids[drawn.at]
    assert set(inserted[1:]) == {PAD_ID}


def test_lines_with_boxes_are_right_until_their_words_differ(tokenizer: PageTokenizer) -> None:
    lines = tuple(
        Line(text, (10.0, 20.0 * row, 90.0, 20.0 * row + 15))
        for row, text in enumerate(("alpha beta", "gamma delta", "epsilon zeta"))
    )
    page = Page(100, 100, [Block("text", (10.0, 0.0, 90.0, 55.0), lines)])
    answer = grounded_lines(page)[1]
    ids = [*tokenizer.encode(answer), EOS_ID]
    script = Script(
        ids,
        blanks=tokenizer.blank_ids,
        newline=tokenizer.newline_id,
        is_by_line=True,
        line_length=9,
    )
    drawn = line_left_out(script, script.lines[1], random.Random(0))
    assert drawn is not None
    written, wanted = apply(script, drawn)
    at = drawn.at
    assert written[at] == wanted[at]  # the tag that both lines begin with
    assert tokenizer.decode([wanted[at + 1]]) in "gamma"
    assert tokenizer.decode([written[at + 1]]) in "epsilon"
    assert written[at + 2 :] == wanted[at + 2 :]


def test_words_again_and_words_left_out_are_whole_words(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer)
    for seed in range(100):
        rng = random.Random(seed)
        place = rng.randrange(len(script.ids))
        again = words_again(script, place, rng)
        if again is not None:
            assert again.inserted == script.ids[again.at - len(again.inserted) : again.at]
        out = words_left_out(script, place, rng)
        if out is not None:
            assert script.ids[out.at + out.num_omitted] in script.blanks


def test_without_corruption_no_page_slips(tokenizer: PageTokenizer) -> None:
    script = script_of(tokenizer, TEXT * 9)
    for seed in range(50):
        drawn = slip(script.ids, script.ids, script, random.Random(seed), corruption=0.0)
        assert drawn == (script.ids, script.ids)


def test_some_pages_slip_and_others_do_not(tokenizer: PageTokenizer) -> None:
    text = "\n".join(f"{word} " * 3 + "gently walked the man" for word in TEXT.split() * 4)
    script = script_of(tokenizer, text)
    results = [slip(script.ids, script.ids, script, random.Random(seed)) for seed in range(100)]
    num_changed = sum(written != script.ids for written, _ in results)
    assert 55 < num_changed < 85
    for written, wanted in results:
        assert len(written) == len(wanted)
        assert written[-1] == wanted[-1] == EOS_ID
