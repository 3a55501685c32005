from pathlib import Path

from training.splits import HELD_OUT_FONTS, is_held_out_font, is_held_out_word

FONTS = Path(__file__).parents[3] / "training" / "fonts.txt"


def test_every_measured_font_is_kept_from_training() -> None:
    assert all(is_held_out_font(name) for name in HELD_OUT_FONTS)


def test_other_weights_of_a_held_out_family_are_held_out_too() -> None:
    assert is_held_out_font("Lato-BoldItalic")


def test_most_listed_fonts_are_for_training() -> None:
    names = FONTS.read_text().split("\n")
    assert sum(not is_held_out_font(name) for name in names if name) > 100


def test_a_word_is_on_one_side_whatever_its_case() -> None:
    assert is_held_out_word("Straße") == is_held_out_word("STRASSE")


def test_about_a_tenth_of_the_words_is_held_out() -> None:
    share = sum(is_held_out_word(f"word{number}") for number in range(5000)) / 5000
    assert 0.08 < share < 0.12
