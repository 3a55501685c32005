"""Programs that stand in for Docker, nvidia-smi and Folio's own scripts on a PATH of their own.

Each writes its words to a file. What Docker answers is read from files that a test can change.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.unit.deployment.env_file import CHECKOUT

SYSTEM_PROGRAMS = [
    *("basename", "bash", "cat", "cut", "dirname", "grep", "head", "hostname", "mkdir"),
    *("od", "sed", "sleep", "tail", "tr"),
]

DOCKER = """#!/bin/bash
# "compose version" and "info" are questions; everything else is recorded, with the profiles.
case "$1 $2" in
  "compose version") exit 0 ;;
  "info "*) [ ! -e "$ANSWERS/no-daemon" ] || exit 1; cat "$ANSWERS/info"; exit ;;
esac
echo "${COMPOSE_PROFILES:-}: $*" >>"$ANSWERS/calls"
case "$*" in
  *"folio health")
    line=$(head -n 1 "$ANSWERS/health")
    if [ "$(grep -c . "$ANSWERS/health")" -gt 1 ]; then sed -i 1d "$ANSWERS/health"; fi
    echo "$line"
    case $line in healthy:*) exit 0 ;; *) exit 1 ;; esac ;;
esac
"""

NVIDIA_SMI = """#!/bin/bash
case "$*" in
  -L) echo "GPU 0: NVIDIA L4 (UUID: GPU-1)" ;;
  *driver_version*) cat "$ANSWERS/driver" ;;
  *name*) echo "NVIDIA L4, 23034 MiB" ;;
esac
"""

OWN_SCRIPT = """#!/bin/bash
echo "$(basename "$0") $*${PORT:+ on $PORT}" >>"$ANSWERS/calls"
"""


@dataclass(frozen=True)
class Machine:
    """A folder with a checkout, the programs on the PATH, and what these answer and were asked."""

    folder: Path

    @property
    def answers(self) -> Path:
        return self.folder / "answers"

    @property
    def checkout(self) -> Path:
        return self.folder / "folio"

    @property
    def env_file(self) -> Path:
        return self.checkout / ".env"

    def calls(self) -> list[str]:
        """What was asked of the stand-ins, in order."""
        path = self.answers / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def start(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ./start-vllm-direct.sh here, with nothing but these programs on its PATH."""
        own = {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder),
            "ANSWERS": str(self.answers),
            "POLL_SECONDS": "0.01",
        }
        return subprocess.run(
            [self.checkout / "start-vllm-direct.sh", *words],
            env=own | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


def make_machine(folder: Path, *, has_docker: bool, has_gpu: bool) -> Machine:
    machine = Machine(folder)
    for name in ("bin", "answers", "folio/scripts", "folio/.venv/bin"):
        (folder / name).mkdir(parents=True)
    for name in ("start-vllm-direct.sh", ".env.vllm-direct", "docker-compose.yml"):
        shutil.copy(CHECKOUT / name, machine.checkout)
    for name in SYSTEM_PROGRAMS:
        found = shutil.which(name)
        assert found is not None, f"{name} is missing here"
        (folder / "bin" / name).symlink_to(found)
    for path in ("scripts/install.sh", "scripts/build-page.sh", ".venv/bin/folio"):
        _write_program(machine.checkout / path, OWN_SCRIPT)
    if has_docker:
        _write_program(folder / "bin" / "docker", DOCKER)
    if has_gpu:
        _write_program(folder / "bin" / "nvidia-smi", NVIDIA_SMI)
    (machine.answers / "info").write_text("Runtimes: nvidia runc\n")
    (machine.answers / "driver").write_text("580.65.06\n")
    (machine.answers / "health").write_text("starting: DeepSeek-OCR\nhealthy: DeepSeek-OCR\n")
    return machine


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
