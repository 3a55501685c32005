"""The GPU image keeps the engine of its base, and gets the rest of Folio from the lock."""

import importlib.util
import tomllib
from dataclasses import dataclass, field
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from tests.unit.deployment.env_file import CHECKOUT

REQUIREMENTS = {
    "celery": ["kombu>=5.5", 'kombu[redis]; extra == "redis"', 'boto3; extra == "sqs"'],
    "kombu": ["amqp>=5", 'redis>=5; extra == "redis"'],
    "sqlalchemy": ["typing-extensions>=4.6", 'greenlet>=1; extra == "asyncio"'],
    "vllm": ["torch==2.13.0", "a-package-that-the-image-has-not"],
}
LOCK = {
    "amqp": "amqp==5.3.1",
    "celery": "celery==5.5.0",
    "greenlet": "greenlet==3.2.0",
    "kombu": "kombu==5.5.4",
    "pillow": "pillow==13.0.0",
    "redis": "redis==6.4.0",
    "torch": "torch==2.13.0",
}


@dataclass
class Image:
    """What is installed in it. Names with an underscore in place of a dash."""

    versions: dict[str, str]
    rounds: list[list[str]] = field(default_factory=list)

    def version(self, name: str) -> str | None:
        return self.versions.get(name)

    def requirements(self, name: str) -> list[Requirement]:
        return [Requirement(text) for text in REQUIREMENTS.get(name, [])]

    def install(self, entries: list[str]) -> None:
        self.rounds.append(entries)
        self.versions |= dict(entry.split("==") for entry in entries)


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
def needs(script: ModuleType) -> list[Requirement]:
    return script.read_needs(tomllib.loads((CHECKOUT / "pyproject.toml").read_text()))


def complete(script: ModuleType, image: Image, *needs: str) -> list[list[str]]:
    script.complete([Requirement(text) for text in needs], LOCK, image)
    return image.rounds


def test_all_that_folio_needs_is_in_the_gpu_lock_with_its_hashes(
    script: ModuleType, needs: list[Requirement]
) -> None:
    lock = script.read_lock(script.LOCK.read_text())
    assert [need.name for need in needs if need.name.lower() not in lock] == []
    assert all("--hash=sha256:" in entry for entry in lock.values())


def test_what_the_image_has_stays(script: ModuleType) -> None:
    image = Image({"fastapi": "0.116.0", "vllm": "0.30.0"})
    assert complete(script, image, "fastapi>=0.115", "vllm>=0.26,<0.34") == []


def test_what_it_lacks_and_what_that_needs_come_from_the_lock(script: ModuleType) -> None:
    image = Image({"amqp": "5.3.0"})
    assert complete(script, image, "celery[redis]>=5.5") == [
        ["celery==5.5.0"],
        ["kombu==5.5.4"],
        ["redis==6.4.0"],
    ]


def test_what_it_has_too_old_comes_from_the_lock(script: ModuleType) -> None:
    assert complete(script, Image({"pillow": "11.0.0"}), "pillow>=11.3") == [["pillow==13.0.0"]]


def test_extras_of_what_it_has_are_seen_to(script: ModuleType) -> None:
    image = Image({"sqlalchemy": "2.1.9"})
    assert complete(script, image, "sqlalchemy[asyncio]>=2.1") == [["greenlet==3.2.0"]]


def test_a_need_that_the_lock_cannot_meet_ends_the_build(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="pillow>=14 is needed"):
        complete(script, Image({}), "pillow>=14")


def test_an_image_without_vllm_is_refused(script: ModuleType, needs: list[Requirement]) -> None:
    assert "no vllm" in script.find_problem(needs, Image({"torch": "2.13.0"}))


@pytest.mark.parametrize("version", ["0.25.1", "0.34.0"])
def test_an_image_with_a_vllm_that_folio_does_not_know_is_refused(
    script: ModuleType, needs: list[Requirement], version: str
) -> None:
    problem = script.find_problem(needs, Image({"torch": "2.13.0", "vllm": version}))
    assert version in problem


@pytest.mark.parametrize("version", ["0.26.0", "0.32.0+cu129", "0.33.1"])
def test_the_versions_that_folio_knows_are_taken(
    script: ModuleType, needs: list[Requirement], version: str
) -> None:
    image = Image({"torch": "2.13.0", "vllm": version})
    assert script.find_problem(needs, image) is None
