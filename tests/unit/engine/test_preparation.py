"""What is looked at before vLLM starts."""

import shutil
from pathlib import Path

import pytest

from folio.config import EngineSettings, embedded_model_path
from folio.engine.preparation import ask_torch_for_gpus, look_at, prepare
from folio.errors import ModelDownloadError, SetUpError
from tests.machines import PUBLISHED_CONFIG, PUBLISHED_WEIGHTS, gpu, machine


def test_random_weights_are_counted_as_if_they_were_there(tmp_path: Path) -> None:
    """For measuring speed without a checkpoint; the counts are those of the published one."""
    shutil.copy(PUBLISHED_CONFIG, tmp_path / "config.json")
    shutil.copy(embedded_model_path() / "tokenizer.json", tmp_path)
    prepared = look_at(EngineSettings(load_format="dummy"), tmp_path, machine(gpu(24)))
    assert prepared.model.weights == PUBLISHED_WEIGHTS
    assert prepared.plan.max_num_seqs.value == 77


def test_a_model_that_is_not_here_is_not_asked_for_offline(tmp_path: Path) -> None:
    settings = EngineSettings(
        model_path="someone/model", model_cache_dir=tmp_path, hf_hub_offline=True
    )
    with pytest.raises(ModelDownloadError, match="HF_HUB_OFFLINE is set"):
        prepare(settings, has_gpu=False, say=print)


def test_a_gpu_that_torch_cannot_use_is_told_with_its_reason() -> None:
    with pytest.raises(SetUpError, match=r"finds no CUDA.*folio doctor"):
        ask_torch_for_gpus()
