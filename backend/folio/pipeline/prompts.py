"""The prompts by name, as the published model was trained on them.

What a user writes into a prompt:

- `<image>` stands for the page and may be in a prompt once, at its beginning. A custom prompt
  may be copied whole from the model's documentation: an `<image>` that it begins with is taken
  off, since every prompt gets one. Any other is broken up and so becomes ordinary text.
- A custom prompt may use the grounding tags, since the published prompts do. Other special
  tokens (`<|User|>`, end of sentence ...) are broken up by a space after the `<`.
- A query to locate is text of the page: every special token in it is broken up.
"""

import re
from enum import StrEnum

from folio.engine.base import NoRepeatNgram
from folio.errors import InvalidInputError

MAX_PROMPT_CHARACTERS = 8_000

IMAGE_NO_REPEAT_NGRAM = NoRepeatNgram(ngram_size=30, window_size=90)
PDF_PAGE_NO_REPEAT_NGRAM = NoRepeatNgram(ngram_size=20, window_size=50)

_IMAGE = "<image>\n"
_LEADING_IMAGES = re.compile(r"\s*(?:<image>\s*)+")
_IMAGE_TOKEN = re.compile(r"<(?=image>)")
# Special tokens look like <|name|>, some of them with full-width bars.
_ANY_TOKEN = re.compile(r"<(?=[|\uff5c])")
_FOREIGN_TOKEN = re.compile(r"<(?=[|\uff5c])(?!\|(?:grounding|/?ref|/?det)\|>)")
_GROUNDING_TAG = re.compile(r"<\|(?:grounding|ref)\|>")


class Task(StrEnum):
    """What is asked about a page."""

    MARKDOWN = "markdown"
    OCR = "ocr"
    FREE = "free"
    FIGURE = "figure"
    DESCRIBE = "describe"
    LOCATE = "locate"
    CUSTOM = "custom"


_FIXED_PROMPTS = {
    Task.MARKDOWN: "<|grounding|>Convert the document to markdown.",
    Task.OCR: "<|grounding|>OCR this image.",
    Task.FREE: "Free OCR.",
    Task.FIGURE: "Parse the figure.",
    Task.DESCRIBE: "Describe this image in detail.",
}


def build_prompt(task: Task, *, query: str | None = None, prompt: str | None = None) -> str:
    """The prompt of a task, with exactly one `<image>` in it.

    Raises InvalidInputError where a query or prompt is missing, too long, or not asked for.
    """
    if query and task is not Task.LOCATE:
        raise InvalidInputError("A query belongs to the task locate only. Leave it out.")
    if prompt and task is not Task.CUSTOM:
        raise InvalidInputError("A prompt belongs to the task custom only. Leave it out.")
    if task is Task.LOCATE:
        text = _ANY_TOKEN.sub("< ", _require("query", query, task))
        return f"{_IMAGE}Locate <|ref|>{_IMAGE_TOKEN.sub('< ', text)}<|/ref|> in the image."
    if task is Task.CUSTOM:
        text = _LEADING_IMAGES.sub("", _require("prompt", prompt, task), count=1)
        return _IMAGE + _FOREIGN_TOKEN.sub("< ", _IMAGE_TOKEN.sub("< ", text))
    return _IMAGE + _FIXED_PROMPTS[task]


def is_grounded(prompt: str) -> bool:
    """Whether the model was asked for boxes, so that tags in its answer are tags, not text."""
    return _GROUNDING_TAG.search(prompt) is not None


def _require(name: str, value: str | None, task: Task) -> str:
    if value is None or not value.strip():
        raise InvalidInputError(
            f"The task {task} needs a {name}. Send one in the field `{name}`.", field=name
        )
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise InvalidInputError(
            f"The {name} has {len(value):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are "
            "accepted. Shorten it.",
            field=name,
            max_characters=MAX_PROMPT_CHARACTERS,
        )
    return value.strip()
