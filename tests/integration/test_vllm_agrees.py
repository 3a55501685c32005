"""Folio's rules and plans beside the installed vLLM: what is refused vLLM would refuse too, what is
let through it takes, and what a plan says is what its configuration holds."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from folio.checkpoints import describe
from folio.config import EngineSettings, embedded_model_path
from folio.engine.conflicts import METHODS, check_settings
from folio.engine.machine import GIBIBYTE, Machine
from folio.engine.preparation import look_at
from folio.engine.vllm_arguments import planned_arguments
from folio.errors import SettingsConflictError
from tests.machines import gpu, machine

LISTED = {"modules_to_not_convert": ["sam_model", "vision_model", "projector"]}
CHECKPOINTS = {
    "plain": None,
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, **LISTED},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True},
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic"},
}
REFUSED = [
    ("awq", {"dtype": "float32"}),
    ("gptq", {"dtype": "float32"}),
    ("fp8", {"dtype": "float32"}),
    ("awq", {"quantization": "gptq", "dtype": "bfloat16"}),
    ("gptq", {"quantization": "fp8", "dtype": "bfloat16"}),
    ("plain", {"quantization": "awq", "dtype": "bfloat16"}),
    ("plain", {"quantization": "gptq", "dtype": "bfloat16"}),
    ("plain", {"max_model_len": 16384}),
]
TAKEN = [
    ("awq", {"dtype": "bfloat16"}),
    ("awq", {"dtype": "float16", "quantization": "awq"}),
    ("gptq", {"dtype": "float16"}),
    ("gptq", {"dtype": "bfloat16", "quantization": "gptq"}),
    ("fp8", {"dtype": "bfloat16"}),
    ("plain", {"dtype": "float32", "kv_cache_dtype": "fp8"}),
    ("plain", {"dtype": "bfloat16", "kv_cache_dtype": "fp8_e5m2"}),
    ("plain", {"max_model_len": 8192}),
]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What vLLM says: of its methods, its arguments, a plan's configuration, REFUSED + TAKEN."""

    methods: dict[str, tuple[set[str], int]]
    arguments: set[str]
    planned: dict[str, Any]
    takes: list[bool]


def arguments_on(machine: Machine, **settings: object) -> dict[str, Any]:
    engine = EngineSettings(**settings)
    return planned_arguments(engine, look_at(engine, embedded_model_path(), machine))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The small model, by what its config says of its weights."""
    parent = tmp_path_factory.mktemp("checkpoints")
    folders = {}
    for name, quantization in CHECKPOINTS.items():
        folder = Path(shutil.copytree(embedded_model_path(), parent / name))
        config = json.loads((folder / "config.json").read_text())
        config |= {"quantization_config": quantization} if quantization else {}
        (folder / "config.json").write_text(json.dumps(config))
        folders[name] = folder
    return folders


@pytest.fixture(scope="module")
def vllm(folders: dict[str, Path]) -> Answers:
    """Asked once, in a process of its own: it takes long to import."""
    planned = arguments_on(
        machine(), kv_cache_dtype="fp8", dtype="bfloat16", max_model_len=4096, max_num_seqs=3
    )
    asked = [{"model": str(folders[name]), **settings} for name, settings in REFUSED + TAKEN]
    questions = json.dumps({"methods": list(METHODS), "planned": planned, "asked": asked})
    command = [sys.executable, "-m", "tests.integration.ask_vllm", questions]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    told = json.loads(done.stdout.splitlines()[-1])
    methods = {name: (set(dtypes), capability) for name, dtypes, capability in told["methods"]}
    return Answers(methods, set(told["arguments"]), told["planned"], told["takes"])


def folio_takes(folder: Path, settings: dict[str, object]) -> bool:
    try:
        check_settings(EngineSettings(**settings), describe(folder), machine())
    except SettingsConflictError:
        return False
    return True


def test_both_refuse_the_same(folders: dict[str, Path], vllm: Answers) -> None:
    ours = [folio_takes(folders[name], settings) for name, settings in REFUSED]
    assert ours == vllm.takes[: len(REFUSED)] == [False] * len(REFUSED)


def test_both_take_the_same(folders: dict[str, Path], vllm: Answers) -> None:
    ours = [folio_takes(folders[name], settings) for name, settings in TAKEN]
    assert ours == vllm.takes[len(REFUSED) :] == [True] * len(TAKEN)


def test_the_table_of_methods_is_vllms(vllm: Answers) -> None:
    for name, method in METHODS.items():
        dtypes, capability = vllm.methods[name]
        assert dtypes == set(method.dtypes), name
        assert divmod(capability, 10) == method.min_capability, name


def test_vllm_holds_what_a_plan_says(vllm: Answers) -> None:
    assert vllm.planned == {
        "kv_cache_dtype": "fp8",
        "kv_cache_memory_bytes": GIBIBYTE,
        "dtype": "torch.bfloat16",
        "quantization": None,
        "max_model_len": 4096,
        "max_num_seqs": 3,
        "max_num_batched_tokens": 4096,
        "tensor_parallel_size": 1,
    }


def test_vllm_knows_every_argument(vllm: Answers) -> None:
    for arguments in (arguments_on(machine()), arguments_on(machine(gpu(24)))):
        assert set(arguments) <= vllm.arguments
