"""What a server uses meanwhile: its processes' CPU seconds and memory, and how busy the GPU is."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

_PAUSE_SECONDS = 0.5
_GPU_QUERY = (
    "nvidia-smi",
    "--query-gpu=utilization.gpu,memory.used",
    "--format=csv,noheader,nounits",
)


@dataclass
class ProcessUse:
    """CPU seconds at times, and the most memory that it held."""

    name: str
    cpu_seconds: dict[float, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def between(self, start: float, end: float) -> float:
        """CPU seconds from start to end; a process that began in between counts from zero."""
        before = [used for at, used in self.cpu_seconds.items() if at <= start]
        until = [used for at, used in self.cpu_seconds.items() if at <= end]
        return (until[-1] if until else 0.0) - (before[-1] if before else 0.0)


class Meter:
    """Looks twice a second while it is open."""

    def __init__(self, process_id: int) -> None:
        self._root = psutil.Process(process_id)
        self.processes: dict[int, ProcessUse] = {}
        self.gpu_percent: dict[float, float] = {}
        self.gpu_megabytes = 0.0
        self._done = threading.Event()
        looks = (self._look_at_processes, self._look_at_gpu)
        self._threads = [threading.Thread(target=self._watch, args=(look,)) for look in looks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, look: Callable[[], bool]) -> None:
        while look() and not self._done.wait(_PAUSE_SECONDS):
            pass

    def _look_at_processes(self) -> bool:
        now = time.monotonic()
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                times, memory = process.cpu_times(), process.memory_info().rss
                use = self.processes.setdefault(process.pid, ProcessUse(name_of(process)))
            except psutil.Error:
                continue
            use.cpu_seconds[now] = times.user + times.system
            use.peak_bytes = max(use.peak_bytes, memory)
        return True

    def _look_at_gpu(self) -> bool:
        try:
            done = subprocess.run(
                _GPU_QUERY, capture_output=True, text=True, check=True, timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return False
        rows = [[float(cell) for cell in row.split(",")] for row in done.stdout.splitlines()]
        self.gpu_percent[time.monotonic()] = sum(row[0] for row in rows) / len(rows)
        self.gpu_megabytes = max(self.gpu_megabytes, sum(row[1] for row in rows))
        return True

    def cpu_seconds(self, start: float, end: float) -> float:
        return sum(use.between(start, end) for use in self.processes.values())

    def gpu_busy_percent(self, start: float, end: float) -> float | None:
        seen = [percent for at, percent in self.gpu_percent.items() if start <= at <= end]
        return sum(seen) / len(seen) if seen else None

    def peak_megabytes(self) -> dict[str, list[int]]:
        """Of each process, by name."""
        peaks: dict[str, list[int]] = {}
        for use in self.processes.values():
            peaks.setdefault(use.name, []).append(round(use.peak_bytes / 2**20))
        return {name: sorted(sizes, reverse=True) for name, sizes in peaks.items()}


def name_of(process: psutil.Process) -> str:
    """vLLM names its processes by their titles, which are the first word of the command line."""
    command = process.cmdline()
    title = command[0] if command else process.name()
    return title if title.startswith("VLLM") else process.name()
