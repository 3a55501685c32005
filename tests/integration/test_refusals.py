"""What cannot work is said by /health in a moment, before vLLM is loaded."""

from pathlib import Path

import pytest

from tests.service import running_service
from tests.small_checkpoint import SHARD, write_small_checkpoint

WITHIN_SECONDS = 60  # on a busy machine; vLLM's own start comes after it


def reason(folder: Path, **settings: str) -> str:
    with running_service(folder, **settings) as service:
        answer = service.wait_for_status("unhealthy", timeout_seconds=WITHIN_SECONDS)
        assert not answer["model_loaded"]
        assert "Traceback" not in service.log()
        assert "(EngineCore" not in service.log()
    return str(answer["reason"])


@pytest.mark.engine
def test_a_half_downloaded_folder_is_told_with_the_files_name(tmp_path: Path) -> None:
    model = tmp_path / "model"
    write_small_checkpoint(model)
    (model / SHARD).rename(model / f"{SHARD}.0123456789ab.part")
    said = reason(tmp_path, MODEL_PATH=str(model))
    assert f"{SHARD} is only partly downloaded" in said


@pytest.mark.engine
def test_settings_that_cannot_work_are_told_with_what_to_set(tmp_path: Path) -> None:
    said = reason(tmp_path, DTYPE="float32", QUANTIZATION="fp8", MAX_MODEL_LEN="9000")
    assert "Set DTYPE to bfloat16 or float16, or to auto." in said
    assert "the model knows 8192 positions" in said
