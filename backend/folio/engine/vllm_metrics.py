"""vLLM's own metrics of one engine or several, at one /metrics.

Each of vLLM's loggers begins by taking the metrics of all others out of the process's registry. So
each engine here has a registry of its own, and what they hold is put together when it is asked for.
"""

from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from vllm.v1.metrics.loggers import PrometheusStatLogger


class EngineRegistries(Collector):
    """A registry for each engine by its index. A new engine's takes its predecessor's place."""

    def __init__(self) -> None:
        self._by_index: dict[int, CollectorRegistry] = {}
        self._lock = Lock()

    def show(self, index: int, registry: CollectorRegistry) -> None:
        with self._lock:
            self._by_index[index] = registry

    def describe(self) -> list[Metric]:
        """Nothing is known before there is an engine; without this all would be collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each metric once, with the samples of every engine."""
        with self._lock:
            registries = sorted(self._by_index.items())
        together: dict[str, Metric] = {}
        for index, registry in registries:
            for metric in registry.collect():
                samples = [_of_engine(index, sample) for sample in metric.samples]
                if metric.name in together:
                    together[metric.name].samples += samples
                else:
                    metric.samples = samples
                    together[metric.name] = metric
        yield from together.values()


def _of_engine(index: int, sample: Sample) -> Sample:
    """A few of vLLM's metrics have no label that tells the engine."""
    return sample._replace(labels={"engine": str(index)} | sample.labels)


_registries = EngineRegistries()
REGISTRY.register(_registries)


def stat_logger(index: int, *, counts: Callable[[], bool]) -> "type[PrometheusStatLogger]":
    """For AsyncLLM: vLLM's logger, which labels what it counts with this engine's index, and counts
    nothing while `counts` says no."""
    from vllm.v1.metrics.loggers import PrometheusStatLogger

    class EngineStatLogger(PrometheusStatLogger):  # type: ignore[misc]  # untyped
        def __init__(self, vllm_config: Any, **_indexes: Any) -> None:
            registry = CollectorRegistry()
            self._gauge_cls = partial(Gauge, registry=registry)
            self._counter_cls = partial(Counter, registry=registry)
            self._histogram_cls = partial(Histogram, registry=registry)
            super().__init__(vllm_config, [index])
            _registries.show(index, registry)

        def record(self, *stats: Any, **others: Any) -> None:
            """Not under vLLM's own `engine_idx`, which is 0 in each of its engines."""
            if counts():
                super().record(*stats, **(others | {"engine_idx": index}))

    return EngineStatLogger
