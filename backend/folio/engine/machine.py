"""What this machine has for the engine: cards, cores, memory. Read without torch or CUDA."""

import csv
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIBIBYTE = 1024**3
_QUERY = "index,uuid,name,driver_version,compute_cap,memory.total,memory.free"
_NVIDIA_SMI_TIMEOUT_SECONDS = 20.0
_MEBIBYTE = 1024 * 1024
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Gpu:
    """One card. compute_capability: 8.9 is (8, 9)."""

    index: int
    uuid: str
    name: str
    driver_version: str
    compute_capability: tuple[int, int]
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Machine:
    """The cards that may be used (none: the engine runs on the CPU), and the machine's own."""

    gpus: tuple[Gpu, ...]
    num_cores: int
    memory_bytes: int
    available_bytes: int
    has_avx512: bool = True
    has_amx: bool = True


def read_machine(gpus: tuple[Gpu, ...]) -> Machine:
    """As it is now, with the cards that the engine may use."""
    total, available = read_memory()
    features = set(Path("/proc/cpuinfo").read_text().split())
    return Machine(
        gpus,
        os.cpu_count() or 1,
        total,
        available,
        has_avx512="avx512f" in features,
        has_amx="amx_tile" in features,
    )


def read_gpus() -> tuple[Gpu, ...]:
    """All NVIDIA cards, by nvidia-smi; none where there is no card or no driver."""
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SMI_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(answer.stdout)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """nvidia-smi's lines of _QUERY; one that says [N/A] is of a card that cannot be planned for."""
    gpus = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        try:
            index, uuid, name, driver_version, capability, total, free = row
            major, minor = capability.split(".")
            gpus.append(
                Gpu(
                    index=int(index),
                    uuid=uuid,
                    name=name,
                    driver_version=driver_version,
                    compute_capability=(int(major), int(minor)),
                    total_bytes=int(total) * _MEBIBYTE,
                    free_bytes=int(free) * _MEBIBYTE,
                )
            )
        except ValueError:
            continue
    return tuple(gpus)


def visible_gpus(gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order; it names them by number or UUID."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:
        return gpus
    visible = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        gpu = next(
            (gpu for gpu in gpus if name == str(gpu.index) or gpu.uuid.startswith(name)), None
        )
        if gpu is None:
            break  # as CUDA does: what follows a wrong name is not seen
        visible.append(gpu)
    return tuple(visible)


def read_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> tuple[int, int]:
    """Bytes of memory in all, and available: of the machine, or of the container if it has less."""
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    total, available = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit = _read_number(cgroup / "memory.max")
    if limit is None or limit >= total:
        return total, available
    # The container's page cache counts as used, and is given back when memory is short.
    used = _read_number(cgroup / "memory.current") or 0
    used -= _read_stat(cgroup, "inactive_file") + _read_stat(cgroup, "active_file")
    return limit, max(0, min(available, limit - max(0, used)))


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # cgroups v1, or "max"
        return None


def _read_stat(cgroup: Path, name: str) -> int:
    try:
        lines = (cgroup / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)
