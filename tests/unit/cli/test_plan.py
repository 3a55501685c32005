"""`folio plan` prints what the engine will be told, and why."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from folio.cli import app
from folio.config import EngineSettings, embedded_model_path
from tests.hub import ModelHub, running_hub


@pytest.fixture(autouse=True)
def without_the_operators_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EngineSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def plan(*arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["plan", *arguments], env=environment)
    return result.exit_code, result.output


def test_a_card_that_is_not_here_can_be_planned_for() -> None:
    status, said = plan("--card-gb", "24")
    assert status == 0
    assert "folio-nano on a card of 24 GB" in said
    assert re.search(r"GPU_MEMORY_UTILIZATION +0\.9 ", said)
    assert "KV cache" in said


def test_what_the_operator_set_is_marked() -> None:
    _, said = plan("--card-gb", "24", MAX_NUM_SEQS="12", GPU_MEMORY_BUDGET_GB="6")
    assert re.search(r"MAX_NUM_SEQS +12 +set by you", said)
    assert "GPU_MEMORY_BUDGET_GB=6" in said


def test_programs_get_bytes_and_reasons() -> None:
    status, said = plan("--card-gb", "40", "--capability", "8.0", "--json")
    fields = json.loads(said)
    assert status == 0
    assert fields["settings"]["MAX_MODEL_LEN"] == {"value": 8192, "reason": "the model's own"}
    assert fields["memory"]["total"] == 40 * 1024**3
    assert fields["memory"]["kv_tokens"] > 1_000_000


def test_what_cannot_be_is_refused_with_its_reason() -> None:
    status, said = plan("--card-gb", "24", MAX_MODEL_LEN="16384")
    assert (status, "the model knows 8192 positions" in said) == (1, True)
    status, said = plan("--card-gb", "24", "--json", MAX_MODEL_LEN="16384")
    assert (status, list(json.loads(said))) == (1, ["error"])
    status, said = plan("--card-gb", "24", "--capability", "ada")
    assert (status, "--capability is like 8.9" in said) == (2, True)


def test_a_model_that_is_only_at_the_hub_can_be_planned_for(tmp_path: Path) -> None:
    with running_hub(ModelHub("someone/nano", embedded_model_path())) as hub:
        settings = {"MODEL_PATH": "someone/nano", "HF_ENDPOINT": hub.url}
        status, said = plan("--card-gb", "24", MODEL_CACHE_DIR=str(tmp_path), **settings)
        assert status == 0
        assert "someone/nano on a card of 24 GB" in said
        status, said = plan("--card-gb", "24", HF_HUB_OFFLINE="1", **settings)
        assert (status, "HF_HUB_OFFLINE is set" in said) == (1, True)
    assert not list(tmp_path.iterdir())


def test_this_machine_is_planned_for_as_the_service_will() -> None:
    folio = Path(sys.executable).with_name("folio")
    done = subprocess.run([folio, "plan", "--json"], capture_output=True, text=True, check=True)
    settings = json.loads(done.stdout)["settings"]
    from folio.engine.vllm_arguments import engine_arguments

    arguments = engine_arguments(EngineSettings(), say=print)
    for name in ("DTYPE", "KV_CACHE_DTYPE", "MAX_MODEL_LEN", "MAX_NUM_SEQS"):
        assert settings[name]["value"] == arguments[name.lower()]
