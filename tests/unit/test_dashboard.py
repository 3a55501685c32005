"""The dashboard asks for nothing that Folio does not have."""

import json
import re
from pathlib import Path

from prometheus_client import REGISTRY

import folio.telemetry.metrics as metrics

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana-dashboard.json"
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "observability.md"
GPU_METRICS = {"folio_gpu_memory_bytes", "folio_gpu_memory_size_bytes", "folio_gpu_use_ratio"}


def names() -> set[str]:
    """Of all series that Folio's metrics can have."""
    assert metrics.REQUESTS
    return GPU_METRICS | {
        name
        for collector in REGISTRY._collector_to_names.values()
        for name in collector
        if name.startswith("folio_")
    }


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_every_metric_on_the_dashboard_exists() -> None:
    asked_for = {name for line in expressions() for name in re.findall(r"\bfolio_\w+", line)}
    assert len(asked_for) > 15
    assert asked_for <= names()


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_explained() -> None:
    families = {family.name for family in REGISTRY.collect() if family.name.startswith("folio_")}
    guide = GUIDE.read_text()
    assert not [name for name in sorted(families) if name not in guide]
