"""What training never sees: fonts by family name, words by a hash of their letters."""

from hashlib import sha256

HELD_OUT_FONTS = (
    "Cabin-Regular",
    "Caladea-Regular",
    "Go-Mono",
    "Lato-Regular",
    "OpenSans-Regular",
    "Vollkorn-Regular",
)
HELD_OUT_FAMILIES = ("Cabin", "Caladea", "Go", "Lato", "OpenSans", "Vollkorn")
HELD_OUT_WORD_SHARE = 10


def is_held_out_font(name: str) -> bool:
    return name.split("-")[0] in HELD_OUT_FAMILIES


def is_held_out_word(word: str) -> bool:
    """One word in ten, whatever its case, is never printed on a training page."""
    return sha256(word.casefold().encode()).digest()[0] * HELD_OUT_WORD_SHARE < 256
