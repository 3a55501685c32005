"""docs/guides/sizing.md shows what the plan works out."""

from pathlib import Path

import pytest

from folio.config import EngineSettings
from folio.engine.planning import as_gb, make_plan
from folio.errors import SettingsConflictError
from tests.machines import gpu, machine, published_model

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "sizing.md"
CARDS = {8: (8, 9), 12: (8, 9), 16: (8, 9), 24: (8, 9), 40: (8, 0), 80: (9, 0), 141: (9, 0)}


def row_of(gigabytes: int, settings: EngineSettings, label: str) -> str:
    card = machine(gpu(gigabytes, CARDS[gigabytes]))
    try:
        plan = make_plan(settings, published_model(), card)
    except SettingsConflictError:
        weights = as_gb(sum(vars(published_model().weights).values()))
        return f"| {label} | {weights} GB | | | none | does not fit in 16 bits |"
    memory, step = plan.memory, plan.max_num_batched_tokens.value
    sizes = [f"{as_gb(size)} GB" for size in (memory.weights, memory.working, memory.kv_cache)]
    note = f" steps of {step} tokens |" if step < 16384 else " |"
    return f"| {label} | {' | '.join(sizes)} | {plan.max_num_seqs.value} |{note}"


@pytest.fixture(autouse=True)
def without_the_operators_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EngineSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("gigabytes", CARDS)
def test_the_table_has_the_plans_figures(gigabytes: int) -> None:
    assert row_of(gigabytes, EngineSettings(), f"{gigabytes} GB") in GUIDE.read_text()


def test_the_table_has_the_smallest_card_in_fp8() -> None:
    settings = EngineSettings(quantization="fp8")
    assert row_of(8, settings, "8 GB, `QUANTIZATION=fp8`") in GUIDE.read_text()
