"""What Folio refuses vLLM would refuse too, and what it lets through vLLM takes: asked of vLLM."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from folio.checkpoints import describe
from folio.config import EngineSettings, embedded_model_path
from folio.engine.conflicts import check_settings
from folio.errors import SettingsConflictError
from tests.machines import machine

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

ASK_VLLM = """
import json, sys
from folio.engine.vllm_arguments import prepare_environment
prepare_environment()
from vllm.engine.arg_utils import EngineArgs
for arguments in json.loads(sys.argv[1]):
    try:
        EngineArgs(**arguments).create_engine_config()
    except ValueError as error:
        print(json.dumps("refused"))
    else:
        print(json.dumps("taken"))
"""


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
def vllms_answers(folders: dict[str, Path]) -> list[str]:
    """To REFUSED and TAKEN, in this order."""
    asked = [{"model": str(folders[name]), **settings} for name, settings in REFUSED + TAKEN]
    command = [sys.executable, "-c", ASK_VLLM, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('"')]


def folios_answer(folder: Path, settings: dict[str, object]) -> str:
    try:
        check_settings(EngineSettings(**settings), describe(folder), machine())
    except SettingsConflictError:
        return "refused"
    return "taken"


def test_both_refuse_the_same(folders: dict[str, Path], vllms_answers: list[str]) -> None:
    ours = [folios_answer(folders[name], settings) for name, settings in REFUSED]
    assert ours == vllms_answers[: len(REFUSED)] == ["refused"] * len(REFUSED)


def test_both_take_the_same(folders: dict[str, Path], vllms_answers: list[str]) -> None:
    ours = [folios_answer(folders[name], settings) for name, settings in TAKEN]
    assert ours == vllms_answers[len(REFUSED) :] == ["taken"] * len(TAKEN)
