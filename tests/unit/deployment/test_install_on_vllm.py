"""The GPU image keeps the engine of its base, and gets the rest of Folio from the lock."""

import importlib.util
import tomllib
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.unit.deployment.env_file import CHECKOUT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = CHECKOUT / "scripts" / "install_on_vllm.py"
    spec = importlib.util.spec_from_file_location("install_on_vllm", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def needs(script: ModuleType) -> list:
    return script.read_needs(tomllib.loads((CHECKOUT / "pyproject.toml").read_text()))


def image_with(**versions: str) -> Callable[[str], str | None]:
    return lambda name: versions.get(name.replace("-", "_"))


def test_every_package_of_ours_is_in_the_gpu_lock_with_its_hashes(script: ModuleType) -> None:
    lock = script.read_lock(script.LOCK.read_text())
    own_part = script.read_lock(script.OWN_PART.read_text())
    assert sorted(set(own_part) - set(lock)) == []
    assert all("--hash=sha256:" in lock[name] for name in own_part)


def test_our_part_holds_nothing_of_the_engine(script: ModuleType) -> None:
    own_part = script.read_lock(script.OWN_PART.read_text())
    assert not [name for name in own_part if name.startswith(("torch", "vllm", "nvidia", "triton"))]


def test_what_the_image_has_stays_and_what_it_lacks_or_has_too_old_comes_from_the_lock(
    script: ModuleType, needs: list
) -> None:
    image = image_with(pillow="11.0.0", fastapi="0.116.0", vllm="0.30.0", torch="2.13.0")
    assert script.choose(["celery", "fastapi", "pillow"], needs, image) == ["celery", "pillow"]


def test_an_image_without_vllm_is_refused(script: ModuleType, needs: list) -> None:
    assert "no vllm" in script.find_problem(needs, image_with(torch="2.13.0"))


@pytest.mark.parametrize("version", ["0.25.1", "0.34.0"])
def test_an_image_with_a_vllm_that_folio_does_not_know_is_refused(
    script: ModuleType, needs: list, version: str
) -> None:
    problem = script.find_problem(needs, image_with(torch="2.13.0", vllm=version))
    assert version in problem


@pytest.mark.parametrize("version", ["0.26.0", "0.32.0+cu129", "0.33.1"])
def test_the_versions_that_folio_knows_are_taken(
    script: ModuleType, needs: list, version: str
) -> None:
    assert script.find_problem(needs, image_with(torch="2.13.0", vllm=version)) is None


def test_a_package_that_misses_another_is_named(script: ModuleType) -> None:
    gaps = script.find_gaps(["celery"], image_with(celery="5.5.0"))
    assert any(gap.startswith("celery needs kombu") for gap in gaps)
