"""What the operator's pages show can be used as it stands."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deployment.env_file import CHECKOUT, read_env_file

PAGES = [
    *(CHECKOUT / "docs").glob("guides/*.md"),
    *(CHECKOUT / "docs").glob("reference/*.md"),
    CHECKOUT / "docs" / "vllm-direct" / "README.md",
    CHECKOUT / "README.md",
    CHECKOUT / "README.zh-CN.md",
]
RUNNING = CHECKOUT / "docs" / "vllm-direct" / "README.md"
LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


class ComposeLoader(yaml.SafeLoader):
    """Knows compose's marks !reset and !override, which say how files are merged."""


def _marked(loader: yaml.SafeLoader, _mark: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


ComposeLoader.add_multi_constructor("!", _marked)


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {"#" + text.replace(" ", "-") for text in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{page.name}: {target}{anchor}"


@pytest.mark.parametrize(
    "block", re.findall(r"```yaml\n(.*?)```", RUNNING.read_text(encoding="utf-8"), re.DOTALL)
)
def test_each_override_keeps_to_the_compose_specification(block: str, tmp_path: Path) -> None:
    path = tmp_path / "override.yml"
    path.write_text(yaml.safe_dump(yaml.load(block, ComposeLoader)))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_setting_that_the_operators_pages_set_is_one() -> None:
    known = set(read_env_file())
    for page in PAGES:
        named = re.findall(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=", page.read_text(encoding="utf-8"))
        assert sorted(set(named) - known) == [], page.name
