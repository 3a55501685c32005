"""Cuts a model's answer at its grounding tags. Knows tags and text, not what they mean.

    <|ref|>title<|/ref|><|det|>[[12, 30, 980, 70]]<|/det|>
    # The title, then everything up to the next tag

A tag that is no part of such a construct stays in the text, as it is: the page may have it
printed on it. Linear in the length of the answer.
"""

import re
from dataclasses import dataclass

from folio.pipeline.coordinates import RelativeBox, read_boxes

_TAG = re.compile(r"<\s?[|\uff5c]\s?(/?)\s?(ref|det)\s?[|\uff5c]\s?>")
_REF, _REF_END, _DET, _DET_END = "ref", "/ref", "det", "/det"

_MAX_LOOKAHEAD = 8  # tags; bounds the work on hostile input
_MAX_STRAY = 3  # characters between </ref> and <det> that do not part them


@dataclass(frozen=True)
class Segment:
    """A construct and the text behind it. `ref` is None for text before the first tag."""

    ref: str | None
    boxes: tuple[RelativeBox, ...]
    text: str


@dataclass(frozen=True)
class _Tag:
    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class _Construct:
    """A ref with or without its det, or a det alone. `end` is where its text begins."""

    ref: str | None
    boxes: tuple[RelativeBox, ...]
    stray: str
    end: int
    next_tag: int


def split_at_tags(raw_text: str, labels: frozenset[str]) -> list[Segment]:
    """The answer as segments in the model's order; their refs and texts hold all of it."""
    scanner = _TagScanner(raw_text, labels)
    segments: list[Segment] = []
    current, text_start, index = _Construct(None, (), "", 0, 0), 0, 0
    while index < len(scanner.tags):
        construct = scanner.read_construct(index, is_first=not segments and current.ref is None)
        if construct is None:
            index += 1
            continue
        segments.append(_segment(current, raw_text[text_start : scanner.tags[index].start]))
        current, text_start, index = construct, construct.end, construct.next_tag
    segments.append(_segment(current, raw_text[text_start:]))
    return segments


def trim(text: str) -> str:
    """Without blank lines around it; the first line keeps its indentation if it has its own."""
    text = text.rstrip()
    margin = len(text) - len(text.lstrip())
    line_start = text.rfind("\n", 0, margin) + 1
    return text[line_start:] if line_start else text[margin:]


def _segment(construct: _Construct, text: str) -> Segment:
    parts = [trim(construct.stray), trim(text)]
    return Segment(construct.ref, construct.boxes, "\n".join(part for part in parts if part))


class _TagScanner:
    def __init__(self, raw_text: str, labels: frozenset[str]) -> None:
        self.raw_text = raw_text
        self.labels = labels
        self.tags = [
            _Tag(match[1] + match[2], match.start(), match.end())
            for match in _TAG.finditer(raw_text)
        ]

    def read_construct(self, index: int, *, is_first: bool) -> _Construct | None:
        kind = self.tags[index].kind
        if kind == _DET:
            return self._read_det(index, ref=None, stray="")
        if kind != _REF:
            return None
        if self._kind(index + 1) == _DET and "\n" not in self._gap(index):
            without_end = self._read_det(index + 1, ref=self._gap(index), stray="")
            if without_end is not None and without_end.boxes:
                return without_end
        closing = self._find_ref_end(index)
        if closing is not None:
            return self._read_ref(index, closing)
        return None if is_first else self._read_cut_off(index)

    def _read_ref(self, index: int, closing: int) -> _Construct:
        ref = self.raw_text[self.tags[index].end : self.tags[closing].start]
        if self._has_det(closing):
            stray = self._gap(closing) if self._kind(closing + 1) == _DET else ""
            det = closing + 1 if self._kind(closing + 1) == _DET else closing
            construct = self._read_det(det, ref=ref, stray=stray)
            if construct is not None:
                return construct
        return _Construct(ref, (), "", self.tags[closing].end, closing + 1)

    def _read_det(self, index: int, *, ref: str | None, stray: str) -> _Construct | None:
        """Boxes behind tag `index`. A det alone and without a box is none: it is text."""
        start, is_closed = self.tags[index].end, self._kind(index + 1) == _DET_END
        limit = self._start(index + 1)
        found = read_boxes(self.raw_text, start, limit, is_closed=is_closed)
        if not ref and not found.boxes:
            return None
        stray += found.stray
        if not is_closed:
            return _Construct(ref, tuple(found.boxes), stray, found.end, index + 1)
        stray += self.raw_text[found.end : limit]
        return _Construct(ref, tuple(found.boxes), stray, self.tags[index + 1].end, index + 2)

    def _read_cut_off(self, index: int) -> _Construct | None:
        """The answer's last tag, opened and never closed: the token limit came in between."""
        text = self._gap(index)
        if index + 1 < len(self.tags) or not text.strip() or "\n" in text.strip():
            return None
        return _Construct(text, (), "", len(self.raw_text), index + 1)

    def _find_ref_end(self, index: int) -> int | None:
        """Which tag closes the ref at `index`: tags printed inside one line are skipped."""
        for closing in range(index + 1, min(index + _MAX_LOOKAHEAD, len(self.tags))):
            is_end = self._kind(closing) == _REF_END
            if "\n" in self._gap(closing - 1) and not (is_end and closing == index + 1):
                break
            if is_end and self._has_det(closing):
                return closing if self._is_outermost(index, closing) else None
        return index + 1 if self._kind(index + 1) == _REF_END else None

    def _is_outermost(self, index: int, closing: int) -> bool:
        # <|ref|><|ref|>title<|/ref|>: with a label inside, the first tag is the stray one.
        inner = closing - 1
        return inner == index or self._gap(inner).strip() not in self.labels

    def _has_det(self, closing: int) -> bool:
        gap = self._gap(closing)
        if self._kind(closing + 1) == _DET:
            return len(gap.strip()) <= _MAX_STRAY
        # <det> itself was left out, but what stands before </det> is a box and nothing else.
        return self._kind(closing + 1) == _DET_END and self._is_box_list(closing)

    def _is_box_list(self, closing: int) -> bool:
        start, end = self.tags[closing].end, self._start(closing + 1)
        if not self.raw_text[start:end].lstrip().startswith("["):
            return False
        found = read_boxes(self.raw_text, start, end, is_closed=True)
        return bool(found.boxes) and found.end == end and not found.stray

    def _kind(self, index: int) -> str | None:
        return self.tags[index].kind if index < len(self.tags) else None

    def _start(self, index: int) -> int:
        return self.tags[index].start if index < len(self.tags) else len(self.raw_text)

    def _gap(self, index: int) -> str:
        """The text between tag `index` and the next one, or the end."""
        return self.raw_text[self.tags[index].end : self._start(index + 1)]
