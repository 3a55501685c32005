import pytest
from transformers import AutoTokenizer

from tests.unit.training.conftest import NANO
from training.charset import CHARACTERS
from training.corpus import HOSTILE
from training.vocabulary import GROUNDING, REF, SPECIAL_TOKENS, PageTokenizer


@pytest.mark.parametrize(
    "text",
    [CHARACTERS, "a  b\n\n c ", "3,814.25 €", "日本語 Ω", "\\n C:\\temp", "[[130, 50, 780, 99]]"],
)
def test_any_text_comes_back(tokenizer: PageTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode([text])) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_printed_markup_is_ordinary_text(tokenizer: PageTokenizer, text: str) -> None:
    ids = tokenizer.encode([text])
    assert min(ids) >= len(SPECIAL_TOKENS)
    assert tokenizer.decode(ids) == text


def test_structure_is_one_token_each(tokenizer: PageTokenizer) -> None:
    assert tokenizer.encode([(REF,)]) == [SPECIAL_TOKENS.index(REF)]


def test_a_box_takes_at_most_thirteen_tokens(tokenizer: PageTokenizer) -> None:
    assert len(tokenizer.encode(["[[130, 150, 780, 999]]"])) <= 13


def test_transformers_reads_the_prompt_as_training_wrote_it(tokenizer: PageTokenizer) -> None:
    published = AutoTokenizer.from_pretrained(NANO)
    prompt = tokenizer.encode(["\n", (GROUNDING,), "OCR this image."])
    assert published.encode("\n<|grounding|>OCR this image.", add_special_tokens=False) == prompt
