"""Installs what Folio needs on top of vLLM's own image, and nothing that is there already.

    python -m venv --system-site-packages .venv && .venv/bin/python scripts/install_on_vllm.py

The image holds torch, CUDA's libraries, vLLM and what they need, in versions that fit each other;
they stay as they are, and the environment sees them. What pyproject.toml asks for and the image has
not, or has in a version that is refused, comes from requirements/gpu.txt with its hashes; then what
these packages ask for, and so on until nothing is missing. Ends with an error where the image has
no vLLM that Folio works with, or where the lock cannot help.
"""

import importlib
import importlib.metadata
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "gpu.txt"
ENGINE = ("torch", "vllm")


class Environment(Protocol):
    """What is installed, the image's packages included."""

    def version(self, name: str) -> str | None:
        """None where there is no such package."""

    def requirements(self, name: str) -> list[Requirement]:
        """What an installed package asks for, with the markers of its extras."""

    def install(self, entries: list[str]) -> None:
        """Lines of the lock."""


class PipEnvironment:
    """The one that this program runs in."""

    def version(self, name: str) -> str | None:
        importlib.invalidate_caches()
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def requirements(self, name: str) -> list[Requirement]:
        return [Requirement(text) for text in importlib.metadata.requires(name) or []]

    def install(self, entries: list[str]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as chosen:
            chosen.write("\n".join(entries) + "\n")
            chosen.flush()
            options = ["--no-deps", "--require-hashes", "--ignore-installed", "-q"]
            command = [sys.executable, "-m", "pip", "install", *options, "-r", chosen.name]
            subprocess.run(command, check=True)


def read_lock(text: str) -> dict[str, str]:
    """The entries of a lock file with their hashes, by name."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    entries = "\n".join(lines).replace("\\\n", " ").splitlines()
    return {canonicalize_name(entry.split("==")[0].strip()): entry for entry in entries}


def read_needs(pyproject: dict) -> list[Requirement]:
    """What Folio asks of a GPU machine in pyproject.toml, and what installs it."""
    project = pyproject["project"]
    texts = project["dependencies"] + project["optional-dependencies"]["gpu"]
    return [Requirement(text) for text in texts + pyproject["build-system"]["requires"]]


def is_met(need: Requirement, environment: Environment) -> bool:
    found = environment.version(need.name)
    return found is not None and need.specifier.contains(found, prereleases=True)


def find_problem(needs: Iterable[Requirement], environment: Environment) -> str | None:
    """Why Folio cannot be put on this image; None where it can."""
    for name in ENGINE:
        if environment.version(name) is None:
            return f"This image has no {name}. Folio's GPU image is built on vllm/vllm-openai."
    vllm = next(need for need in needs if need.name == "vllm")
    if is_met(vllm, environment):
        return None
    found = environment.version("vllm")
    return f"This image has vLLM {found}; Folio works with {vllm.specifier}."


def complete(
    needs: list[Requirement], lock: dict[str, str], environment: Environment
) -> dict[str, str]:
    """Install until nothing is missing. Gives what came from the lock, by name."""
    installed: dict[str, str] = {}
    while needs:
        unmet = [need for need in needs if not is_met(need, environment)]
        names = {canonicalize_name(need.name) for need in unmet}
        entries = {name: lock[name] for name in sorted(names & set(lock))}
        if entries:
            environment.install(list(entries.values()))
        for need in unmet:
            if not is_met(need, environment):
                sys.exit(f"install_on_vllm: {need} is needed, and the lock does not have it")
        installed |= entries
        needs = [more for need in needs for more in _asked_for(need, entries, environment)]
    return installed


def _asked_for(
    need: Requirement, new: Iterable[str], environment: Environment
) -> Iterable[Requirement]:
    """By a new package all that it needs; by one of the image only what the need's extras add."""
    is_new = canonicalize_name(need.name) in new
    for more in environment.requirements(need.name):
        is_plain = more.marker is None or more.marker.evaluate({"extra": ""})
        is_extra = not is_plain and any(more.marker.evaluate({"extra": x}) for x in need.extras)
        if (is_plain and is_new) or is_extra:
            yield more


def main() -> None:
    environment = PipEnvironment()
    needs = read_needs(tomllib.loads((ROOT / "pyproject.toml").read_text()))
    if problem := find_problem(needs, environment):
        sys.exit(f"install_on_vllm: {problem}")
    installed = complete(needs, read_lock(LOCK.read_text()), environment)
    print(f"Installed beside vLLM: {', '.join(sorted(installed)) or 'nothing'}")


if __name__ == "__main__":
    main()
