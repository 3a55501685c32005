"""Names of files as users give them, made fit to be kept and shown. Pure."""

import re
import unicodedata

_MAX_LENGTH = 200
_UNNAMED = "document"
# Also what reorders text: a name could show another extension than it has.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def tidy_filename(name: str | None) -> str:
    """Without folders, control characters and excess; "document" where nothing is left."""
    base = re.split(r"[/\\]", name or "")[-1]
    visible = "".join(char for char in base if unicodedata.category(char) not in _INVISIBLE)
    tidy = " ".join(visible.split())
    if len(tidy) > _MAX_LENGTH:
        stem, dot, extension = tidy.rpartition(".")
        keeps_extension = dot and len(extension) <= 8
        tidy = f"{stem[:180]}.{extension}" if keeps_extension else tidy[:_MAX_LENGTH]
    return tidy if tidy.strip(". ") else _UNNAMED


def stem_of(name: str) -> str:
    """The name without its extension."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name
