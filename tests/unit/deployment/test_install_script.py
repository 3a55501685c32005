"""scripts/install.sh on users' machines: which Python it takes, what it says is missing."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.deployment.env_file import CHECKOUT

SYSTEM_PROGRAMS = [
    *(
        "bash",
        "cat",
        "cp",
        "dirname",
        "env",
        "grep",
        "id",
        "mkdir",
        "rm",
        "sed",
        "sha256sum",
        "uname",
    ),
]

# Records what it is asked; made an environment, it stands in that too.
PYTHON = """#!/bin/bash
echo "{name} $*" >>"$CALLS"
case "$*" in
  --version) echo "Python {version}" ;;
  *version_info*) exit {is_wrong} ;;
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  *"pip --version"*) exit 1 ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A checkout, and the only programs that there are."""

    folder: Path

    def add_python(self, name: str, version: str) -> None:
        is_right = (3, 11) <= tuple(map(int, version.split(".")))[:2] <= (3, 13)
        self.add(name, PYTHON.format(name=name, version=version, is_wrong=int(not is_right)))

    def add(self, name: str, text: str = "#!/bin/bash\nexit 1\n") -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def install(self, flavour: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"PATH": str(self.folder / "bin"), "CALLS": str(self.folder / "calls")}
        return subprocess.run(
            [self.folder / "folio" / "scripts" / "install.sh", flavour],
            env=own | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def chosen(self) -> str:
        """The Python that the environment was made with."""
        calls = (self.folder / "calls").read_text().splitlines()
        (made,) = [call for call in calls if "-m venv" in call]
        return made.split()[0]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in ("bin", "folio/scripts", "folio/requirements"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("scripts/install.sh", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path / "folio" / name)
    for name in ("worker.txt", "cpu.txt", "gpu.txt", "torch-cpu.txt"):
        (tmp_path / "folio" / "requirements" / name).touch()
    for name in SYSTEM_PROGRAMS:
        found = shutil.which(name)
        assert found is not None, f"{name} is missing here"
        (tmp_path / "bin" / name).symlink_to(found)
    # Not root, so that nothing is installed.
    (tmp_path / "bin" / "id").unlink()
    machine = Machine(tmp_path)
    machine.add("id", "#!/bin/bash\necho 1000\n")
    return machine


def test_python3_is_taken_where_it_is_of_a_right_version(machine: Machine) -> None:
    machine.add_python("python3", "3.12.3")
    machine.add_python("python3.13", "3.13.1")
    assert machine.install("worker").returncode == 0
    assert machine.chosen() == "python3"


@pytest.mark.parametrize("version", ["3.10.12", "3.9.18", "3.14.0"])
def test_another_python_is_taken_where_python3_is_too_old_or_too_new(
    machine: Machine, version: str
) -> None:
    """Ubuntu 22.04, Red Hat 9, and what comes next."""
    machine.add_python("python3", version)
    machine.add_python("python3.11", "3.11.9")
    machine.add_python("python3.12", "3.12.3")
    done = machine.install("worker")
    assert done.returncode == 0, done.stderr
    assert machine.chosen() == "python3.12"


def test_the_python_that_is_asked_for_is_taken_or_refused(machine: Machine) -> None:
    machine.add_python("python3", "3.12.3")
    machine.add_python("python3.11", "3.11.9")
    machine.add_python("python3.10", "3.10.12")
    refused = machine.install("worker", PYTHON="python3.10")
    assert refused.returncode == 1
    assert "python3.10 is Python 3.10.12" in refused.stderr
    assert machine.install("worker", PYTHON="python3.11").returncode == 0
    assert machine.chosen() == "python3.11"


def test_without_a_right_python_it_says_what_to_install(machine: Machine) -> None:
    machine.add_python("python3", "3.9.18")
    done = machine.install("worker")
    assert done.returncode == 1
    assert "Folio needs Python 3.11 to 3.13, and python3 is Python 3.9.18" in done.stderr
    assert "python3.12" in done.stderr


@pytest.mark.parametrize(
    ("packager", "command"),
    [
        ("apt-get", "sudo apt-get install gcc"),
        ("dnf", "sudo dnf install gcc"),
    ],
)
def test_the_gpu_engine_needs_a_compiler(machine: Machine, packager: str, command: str) -> None:
    machine.add_python("python3", "3.12.3")
    machine.add(packager)
    done = machine.install("gpu")
    assert done.returncode == 1
    assert f"gcc is missing. Install it with: {command}" in done.stderr


@pytest.mark.parametrize(
    ("packager", "command"),
    [
        ("apt-get", "sudo apt-get install python3.12-dev"),
        ("dnf", "sudo dnf install python3.12-devel"),
    ],
)
def test_what_is_missing_has_the_name_that_the_system_gives_it(
    machine: Machine, packager: str, command: str
) -> None:
    machine.add_python("python3.12", "3.12.3")
    machine.add(packager)
    done = machine.install("gpu", CC="gcc")
    assert done.returncode == 1
    assert command in done.stderr
