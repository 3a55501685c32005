"""Installs what Folio needs on top of vLLM's own image, and nothing that is there already.

    python -m venv --system-site-packages .venv && .venv/bin/python scripts/install_on_vllm.py

The engine's part of requirements/gpu.txt (torch, CUDA's libraries, vLLM and what they need) is in
the image, in versions that fit each other and its driver, and stays as it is. Of Folio's own part,
which requirements/worker.txt names, the lock's versions are installed with their hashes where the
image has none, or one that Folio refuses. The environment sees both. Ends with an error where the
image has no vLLM that Folio works with, or where what was installed misses something.
"""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "gpu.txt"
OWN_PART = ROOT / "requirements" / "worker.txt"
ENGINE = ("torch", "vllm")

FindVersion = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


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


def is_met(need: Requirement, find_version: FindVersion) -> bool:
    found = find_version(need.name)
    return found is not None and need.specifier.contains(found, prereleases=True)


def find_problem(needs: Iterable[Requirement], find_version: FindVersion) -> str | None:
    """Why Folio cannot be put on this image; None where it can."""
    for name in ENGINE:
        if find_version(name) is None:
            return f"This image has no {name}. Folio's GPU image is built on vllm/vllm-openai."
    vllm = next(need for need in needs if need.name == "vllm")
    if is_met(vllm, find_version):
        return None
    return f"This image has vLLM {find_version('vllm')}; Folio works with {vllm.specifier}."


def choose(
    names: Iterable[str], needs: Iterable[Requirement], find_version: FindVersion
) -> list[str]:
    """Those that the image lacks, or has in a version that Folio refuses."""
    refused = {canonicalize_name(need.name) for need in needs if not is_met(need, find_version)}
    return [name for name in names if name in refused or find_version(name) is None]


def find_gaps(names: Iterable[str], find_version: FindVersion) -> list[str]:
    """What these installed packages ask for and do not find."""
    return [
        f"{name} needs {need}"
        for name in names
        for need in map(Requirement, requires(name) or [])
        if (need.marker is None or need.marker.evaluate({"extra": ""}))
        and not is_met(need, find_version)
    ]


def install(entries: Iterable[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as chosen:
        chosen.write("\n".join(entries) + "\n")
        chosen.flush()
        options = ["--no-deps", "--require-hashes", "--ignore-installed", "-q"]
        command = [sys.executable, "-m", "pip", "install", *options, "-r", chosen.name]
        subprocess.run(command, check=True)


def main() -> None:
    needs = read_needs(tomllib.loads((ROOT / "pyproject.toml").read_text()))
    if problem := find_problem(needs, installed_version):
        sys.exit(f"install_on_vllm: {problem}")
    lock, own_part = read_lock(LOCK.read_text()), read_lock(OWN_PART.read_text())
    names = choose(own_part, needs, installed_version)
    print(f"Of {len(own_part)} packages {len(own_part) - len(names)} are there already")
    install(lock[name] for name in names)
    if gaps := find_gaps(names, installed_version):
        sys.exit("install_on_vllm: " + "; ".join(gaps))


if __name__ == "__main__":
    main()
