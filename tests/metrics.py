"""What /metrics says, read as Prometheus reads it, and held to promtool's rules."""

import re
from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

_NAME = re.compile(r"[a-z][a-z0-9_:]*")
_SUFFIXES = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "summary": ("", "_sum", "_count", "_created"),
}


class Samples(dict[str, float]):
    """Values by their series, `name{label="value"}`; one that is not there has the value 0."""

    def __missing__(self, series: str) -> float:
        return 0.0

    @classmethod
    def parse(cls, text: str) -> "Samples":
        samples = cls()
        seen: set[str] = set()
        for family in text_string_to_metric_families(text):
            assert family.name not in seen, f"{family.name} comes twice"
            seen.add(family.name)
            check_family(family)
            for sample in family.samples:
                series = series_of(sample.name, sample.labels)
                assert series not in samples, f"{series} comes twice"
                samples[series] = sample.value
        return samples


def series_of(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return name
    pairs = (f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{','.join(pairs)}}}"


def check_family(family: Metric) -> None:
    """What `promtool check metrics` would complain about, of Folio's own metrics."""
    assert family.type != "unknown", f"{family.name} has no type"
    for sample in family.samples:
        assert sample.name.removeprefix(family.name) in _SUFFIXES.get(family.type, ("",))
    if family.type == "histogram":
        check_histogram(family)
    if family.name.startswith("folio_"):
        assert _NAME.fullmatch(family.name)
        assert family.documentation, f"{family.name} has no help"
        assert not re.search(r"_(milliseconds|ms|kb|mb|percent)(_|$)", family.name)


def check_histogram(family: Metric) -> None:
    """Buckets grow, and the last one holds all."""
    buckets: dict[str, list[float]] = {}
    counts: dict[str, float] = {}
    for sample in family.samples:
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        if sample.name.endswith("_bucket"):
            buckets.setdefault(series_of("", labels), []).append(sample.value)
        elif sample.name.endswith("_count"):
            counts[series_of("", labels)] = sample.value
    for series, values in buckets.items():
        assert values == sorted(values), f"{family.name}{series} has buckets that shrink"
        assert values[-1] == counts[series]
