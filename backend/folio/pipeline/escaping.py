"""Keeps a page's text text where a Markdown renderer would take it for HTML.

What is printed on a page (`<script>`, `<lazy>`, `&lt;`) has to come out of a renderer as it is
printed. So a `<` that could begin a tag, and an `&` that could begin an entity, become entities;
in a formula, where entities would show, a space behind the `<` does it. All else stays as it is.
"""

import re
from collections.abc import Callable

# CommonMark 0.31, 6.6: a tag, comment, declaration or autolink begins with one of these.
_TAG_START = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY_START = re.compile(r"&(?=(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);)")
_IMAGE_START = re.compile(r"!(?=\[)")
_FORMULA_SIGN = re.compile(r"\\\\|\\[()\[\]]")  # \\ is a line break inside a formula, no sign
_FORMULA_START_OF = {"\\)": "\\(", "\\]": "\\["}
_FENCE_LINE = re.compile(r"(`{3,}|~{3,})([^`]*)")
_FENCE_RUN = re.compile(r"`{3,}|~{3,}")
_BLANK_LINES = re.compile(r"(\n[ \t]*\n\s*)")

_BACKTICK, _TILDE = "&#96;", "&#126;"

# In a line as printed, Markdown's own signs mean themselves.
_INLINE_SIGN = re.compile(r"\\(?=[!-/:-@\[-`{-~])|[*`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=\()")
_LINE_SIGN = re.compile(r"^(?=#{1,6}(?:\s|$)|>|~~~|(?:-\s*){3,}$|=+\s*$|-+\s*$)")
_HEADING_SIGN = re.compile(r"^(?=#{1,6}[ \t])", re.MULTILINE)


def escape_markdown(text: str, *, keep_headings: bool = True) -> str:
    """The model's Markdown without HTML, but for what stands in fenced code.

    `keep_headings` False takes lines that begin with # for what they are in code: comments.
    """

    def escape(prose: str) -> str:
        escaped = _escape_prose(prose)
        return escaped if keep_headings else _HEADING_SIGN.sub(r"\\", escaped)

    return _outside_fences(text, escape)


def escape_line(text: str) -> str:
    """Lines as they are printed: no sign in them means anything to a Markdown renderer."""
    escaped = _INLINE_SIGN.sub(lambda match: "\\" + match.group(), text)
    lines = (_LINE_SIGN.sub(r"\\", line) for line in escaped.split("\n"))
    return escape_html("\n".join(lines))


def escape_html(text: str) -> str:
    """Text in which nothing begins a tag or an entity. For table cells and plain lines."""
    return _TAG_START.sub("&lt;", _ENTITY_START.sub("&amp;", text))


def _escape_prose(prose: str) -> str:
    paragraphs = _BLANK_LINES.split(prose)
    return "".join(_escape_paragraph(paragraph) for paragraph in paragraphs)


def _escape_paragraph(paragraph: str) -> str:
    outside = _IMAGE_START.sub("!\\\\", _FENCE_RUN.sub(_as_entities, paragraph))
    escaped = _map_formulas(outside, escape_html, lambda formula: _TAG_START.sub("< ", formula))
    if escaped != outside and "`" in escaped:
        # Entities would show in a code span: where there are some, backticks mean themselves.
        return escaped.replace("`", _BACKTICK)
    return escaped


def _map_formulas(text: str, outside: Callable[[str], str], inside: Callable[[str], str]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in _find_formulas(text):
        parts += [outside(text[position:start]), inside(text[start:end])]
        position = end
    return "".join([*parts, outside(text[position:])])


def _find_formulas(text: str) -> list[tuple[int, int]]:
    """Where the formulas stand. One whose end is missing is none."""
    found: list[tuple[int, int]] = []
    opening: re.Match[str] | None = None
    for sign in _FORMULA_SIGN.finditer(text):
        if sign.group() in _FORMULA_START_OF.values():
            opening = sign
        elif opening is not None and opening.group() == _FORMULA_START_OF.get(sign.group()):
            found.append((opening.start(), sign.end()))
            opening = None
    return found


def _as_entities(run: re.Match[str]) -> str:
    return (_BACKTICK if run.group()[0] == "`" else _TILDE) * len(run.group())


def _outside_fences(text: str, escape: Callable[[str], str]) -> str:
    """Apply `escape` to all but fenced code.

    Only a fence at the very start of a line, with its end, counts as one. Every other run of
    backticks or tildes is broken up, so that a renderer sees the same fences as we do.
    """
    lines = text.split("\n")
    parts: list[str] = []
    prose_start = 0
    for start, end in _find_fences(lines):
        if start > prose_start:
            parts.append(escape("\n".join(lines[prose_start:start])))
        parts.append("\n".join(lines[start:end]))
        prose_start = end
    if prose_start < len(lines):
        parts.append(escape("\n".join(lines[prose_start:])))
    return "\n".join(parts)


def _find_fences(lines: list[str]) -> list[tuple[int, int]]:
    """Fenced code as ranges of lines, both fences included."""
    found: list[tuple[int, int]] = []
    hopeless: set[str] = set()  # fences that nothing closes from here on: not searched twice
    index = 0
    while index < len(lines):
        opening = _FENCE_LINE.fullmatch(lines[index])
        end = None
        if opening is not None and opening[1] not in hopeless:
            end = _find_fence_end(lines, index + 1, opening[1])
            if end is None:
                hopeless.add(opening[1])
        if end is not None:
            found.append((index, end))
        index = end or index + 1
    return found


def _find_fence_end(lines: list[str], start: int, fence: str) -> int | None:
    """The line behind the one that closes `fence`: as many of the same sign, or more."""
    for index in range(start, len(lines)):
        line = lines[index].rstrip()
        if len(line) >= len(fence) and not line.strip(fence[0]):
            return index + 1
    return None
