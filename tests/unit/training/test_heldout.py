import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.scoring import parse_tags
from training.splits import HELD_OUT_FONTS

HELD_OUT = Path(__file__).parents[2] / "data" / "heldout"
PAGES: list[dict[str, Any]] = json.loads((HELD_OUT / "pages.json").read_text(encoding="utf-8"))


def test_the_committed_pages_stay_small() -> None:
    assert sum(path.stat().st_size for path in HELD_OUT.iterdir()) <= 3_000_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["name"])
def test_a_page_has_its_image_and_its_answers(page: dict[str, Any]) -> None:
    assert page["font"] in HELD_OUT_FONTS
    with Image.open(HELD_OUT / page["name"]) as image:
        assert min(image.size) >= 640
    lines = parse_tags(page["lines"])
    assert len(lines) == len(page["text"].split("\n"))
    assert all(
        0 <= x0 < x1 <= 999 and 0 <= y0 < y1 <= 999 for x0, y0, x1, y1 in (t.box for t in lines)
    )
    assert parse_tags(page["markdown"])
