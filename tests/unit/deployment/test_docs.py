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
RESET = object()
LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


class ComposeLoader(yaml.SafeLoader):
    """Knows compose's marks !reset and !override, which say how files are merged."""


def _marked(loader: yaml.SafeLoader, mark: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert mark == "reset"
    return RESET


def without_resets(value: Any) -> Any:
    """As it is once compose has merged it: what is reset is gone."""
    if not isinstance(value, dict):
        return value
    return {key: without_resets(item) for key, item in value.items() if item is not RESET}


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


def overrides() -> list[str]:
    """What the pages put into docker-compose.override.yml."""
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    blocks = [
        block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    return [block for block in blocks if block.startswith("services:")]


@pytest.mark.parametrize("block", overrides())
def test_each_override_keeps_to_the_compose_specification(block: str, tmp_path: Path) -> None:
    path = tmp_path / "override.yml"
    path.write_text(yaml.safe_dump(without_resets(yaml.load(block, ComposeLoader))))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_service_of_an_override_builds_an_image_a_second_time() -> None:
    for block in overrides():
        services = yaml.load(block, ComposeLoader)["services"]
        for service in services.values():
            if "extends" in service:
                assert service["build"] is RESET
                assert service["pull_policy"] == "never"


def test_images_built_by_hand_are_those_of_the_compose_file() -> None:
    """Compose itself builds nothing without secrets, which an offline install makes elsewhere."""
    text = RUNNING.read_text(encoding="utf-8")
    by_hand = re.findall(r"docker build -f (\S+) --target (\S+) -t (\S+) \.", text)
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    builds = [
        (service["build"], service["image"]) for service in services.values() if "build" in service
    ]
    assert by_hand
    assert set(by_hand) <= {
        (build["dockerfile"], build["target"], image) for build, image in builds
    }
    assert "--env-file .env.vllm-direct" not in text


def test_each_setting_that_the_operators_pages_set_is_one() -> None:
    known = set(read_env_file())
    for page in PAGES:
        named = re.findall(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=", page.read_text(encoding="utf-8"))
        assert sorted(set(named) - known) == [], page.name
