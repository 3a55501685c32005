"""What vLLM needs to be told on a machine without a GPU. Measured on two cores, see
docs/decisions/0002-engine-on-cpu.md."""

import os
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path


def cpu_environment(num_cores: int) -> dict[str, str]:
    """Environment variables for vLLM's CPU build; what the operator has set stays."""
    wanted = {
        # vLLM would leave one core idle for its front end.
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{num_cores - 1}",
        "OMP_NUM_THREADS": str(num_cores),
        # Saves the worker process: about 9 s at the start and 590 MB.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # A child made by fork would not see LD_PRELOAD.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    if preload := _openmp_library():
        wanted["LD_PRELOAD"] = os.pathsep.join(
            filter(None, [os.environ.get("LD_PRELOAD"), preload])
        )
    return {
        name: value
        for name, value in wanted.items()
        if name == "LD_PRELOAD" or name not in os.environ
    }


def _openmp_library() -> str | None:
    """Intel's OpenMP runtime, which vLLM's CPU kernels run faster on; none if not installed."""
    try:
        candidates = files("intel-openmp") or []
    except PackageNotFoundError:
        return None
    for candidate in candidates:
        if candidate.name == "libiomp5.so":
            path = Path(str(candidate.locate())).resolve()
            return str(path) if path.is_file() else None
    return None
