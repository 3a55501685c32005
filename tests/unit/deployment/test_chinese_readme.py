"""README.zh-CN.md says what README.md says: a change of one is a change of both."""

import re
from collections.abc import Callable

import pytest

from tests.unit.deployment.env_file import CHECKOUT

ENGLISH = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CHINESE = (CHECKOUT / "README.zh-CN.md").read_text(encoding="utf-8")
README_LINKS = {"README.md", "README.zh-CN.md"}


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```[\s\S]*?^```|^    .+$", text, re.MULTILINE)


def headings(text: str) -> list[int]:
    """Their levels, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def rows(text: str) -> list[list[str]]:
    """The code of each row of a table, in order."""
    return [re.findall(r"`[^`]+`", line) for line in text.splitlines() if line.startswith("|")]


def links(text: str) -> list[str]:
    found = re.findall(r"\]\(([^)]+)\)", text)
    return sorted(target for target in found if target not in README_LINKS)


@pytest.mark.parametrize("part", [headings, code_blocks, rows, links])
def test_both_have_the_same(part: Callable[[str], object]) -> None:
    assert part(CHINESE) == part(ENGLISH)


def test_each_leads_to_the_other() -> None:
    assert "(README.zh-CN.md)" in ENGLISH
    assert "(README.md)" in CHINESE
