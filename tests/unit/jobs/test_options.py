"""What a user may ask for with a document."""

import pytest

from folio.errors import InvalidInputError
from folio.jobs.options import DocumentOptions


def test_options_survive_the_database() -> None:
    options = DocumentOptions(mode="base", task="ocr", pages="1-3,7", dpi=200, max_tokens=100)
    assert DocumentOptions.from_json(options.to_json()) == options


def test_fields_of_a_newer_version_are_left_out() -> None:
    assert DocumentOptions.from_json({"mode": "small", "colour": "blue"}).mode == "small"


@pytest.mark.parametrize(
    "wrong", [{"mode": "huge"}, {"task": "sing"}, {"pages": "5-2"}, {"dpi": 5}, {"max_tokens": -1}]
)
def test_wrong_options_are_refused_with_what_is_allowed(wrong: dict) -> None:
    with pytest.raises(InvalidInputError):
        DocumentOptions(**wrong)
