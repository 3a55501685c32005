"""Memory and use of the machine's GPUs, asked of NVML when metrics are read."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class GpuCollector(Collector):
    """nvml: the module pynvml, or one like it. A card that does not answer is left out."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        nvml.nvmlInit()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: a registry would collect everything to know its names."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        memory = GaugeMetricFamily("folio_gpu_memory_bytes", "Memory in use.", labels=["gpu"])
        size = GaugeMetricFamily("folio_gpu_memory_size_bytes", "All memory.", labels=["gpu"])
        use = GaugeMetricFamily(
            "folio_gpu_use_ratio", "Share of the last moments with work.", labels=["gpu"]
        )
        for index in range(self._nvml.nvmlDeviceGetCount()):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                info = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                rates = self._nvml.nvmlDeviceGetUtilizationRates(handle)
            except self._nvml.NVMLError:
                continue
            memory.add_metric([str(index)], info.used)
            size.add_metric([str(index)], info.total)
            use.add_metric([str(index)], rates.gpu / 100)
        yield from (memory, size, use)


@cache
def watch_gpus() -> None:
    """Put the machine's cards among the metrics, once in a process. There must be some."""
    from vllm.third_party import pynvml

    REGISTRY.register(GpuCollector(pynvml))
