"""Where the time of training steps goes: on the host, and on the device between the same marks.

The device waits for the host where both take as long for a stretch; the host runs ahead where it
takes less. A process that waits for another one's gradients shows it in the stretch after them.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import torch


class StepClock:
    """Seconds of each stretch by name. On a GPU each mark leaves an event on the current stream."""

    def __init__(
        self, device: torch.device, *, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._is_gpu, self._now = device.type == "cuda", now
        self.host: dict[str, float] = defaultdict(float)
        self._told: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event]] = []
        self._last = now()

    def mark(self, name: str) -> None:
        """All since the last mark was this."""
        moment = self._now()
        self.host[name] += moment - self._last
        self._last = moment
        if self._is_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._events.append((name, event))

    def report(self, num_steps: int) -> str:
        """Milliseconds a step since the last report: `data 1.0/2.5`, host and device, or the host's
        alone. Waits for the device. Another thread may go on marking a clock without one."""
        host = dict(self.host)
        device = self._device_seconds()
        parts = []
        for name, seconds in host.items():
            figures = [seconds - self._told.get(name, 0.0), *device.get(name, [])]
            parts.append(name + " " + "/".join(f"{1000 * s / num_steps:.1f}" for s in figures))
        self._told = host
        return " ".join(parts)

    def _device_seconds(self) -> dict[str, list[float]]:
        if not self._events:
            return {}
        self._events[-1][1].synchronize()
        seconds: dict[str, float] = defaultdict(float)
        for (_, before), (name, event) in pairwise(self._events):
            seconds[name] += before.elapsed_time(event) / 1000
        del self._events[:-1]
        return {name: [value] for name, value in seconds.items()}


class Surprises:
    """Counts of what holds up a step now and then: graphs compiled, memory asked of the driver."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._told = self._counts()

    def report(self) -> str:
        """What came since the last report: `graphs +2 mallocs +31 retries +0 held 40.1 GB`."""
        counts = self._counts()
        parts = [f"{name} +{count - self._told[name]}" for name, count in counts.items()]
        self._told = counts
        if self.device.type == "cuda":
            parts.append(f"held {torch.cuda.memory_reserved(self.device) / 1e9:.1f} GB")
        return " ".join(parts)

    def _counts(self) -> dict[str, int]:
        counts = {"graphs": torch._dynamo.utils.counters["stats"]["unique_graphs"]}
        if self.device.type == "cuda":
            # A retry gives all that is held and unused back to the driver, which waits for the GPU.
            told = torch.cuda.memory_stats(self.device)
            counts |= {
                "mallocs": told.get("num_device_alloc", 0),
                "retries": told.get("num_alloc_retries", 0),
            }
        return counts
