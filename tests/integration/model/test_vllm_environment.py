"""vLLM only warns of a variable that it does not know."""

import re
from pathlib import Path

from vllm import envs

ROOT = Path(__file__).parents[3]
QUOTED = re.compile(r'"(VLLM_[A-Z0-9_]+)"')


def test_vllm_knows_every_variable_that_we_set() -> None:
    sources = [*(ROOT / "backend" / "folio").rglob("*.py"), ROOT / "tests" / "gpu" / "conftest.py"]
    named = {name for source in sources for name in QUOTED.findall(source.read_text())}
    assert "VLLM_WORKER_MULTIPROC_METHOD" in named
    assert named <= set(envs.environment_variables)
