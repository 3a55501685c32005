"""The characters of our pages, and their classes in the character map (0 is blank)."""

ASCII = "".join(map(chr, range(33, 127)))
NOT_IN_EVERY_FONT = (0xAD, 0xAF, 0xB5)
LATIN_1 = "".join(map(chr, sorted(set(range(0xA1, 0x100)) - set(NOT_IN_EVERY_FONT))))
TYPOGRAPHIC = "–—‘’“”„…•€œŒ"  # noqa: RUF001
CHARACTERS = " " + ASCII + LATIN_1 + TYPOGRAPHIC
NUM_CHARACTERS = len(CHARACTERS)
CHARACTER_CLASS = {character: index for index, character in enumerate(CHARACTERS)}


def encode_classes(text: str) -> bytes:
    """Text to one class per character; a character that is not in the set is a KeyError."""
    return bytes(map(CHARACTER_CLASS.__getitem__, text))


def is_printable(text: str) -> bool:
    return all(character in CHARACTER_CLASS for character in text)
