"""A model's folder that is not whole is told with the names of its files."""

import json
import shutil
from pathlib import Path

import pytest

from folio.checkpoints import check_folder, describe
from folio.checkpoints.safetensors_header import read_header
from folio.config import embedded_model_path
from folio.errors import ModelFilesError

SHARD = "model-00002-of-00003.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(embedded_model_path(), tmp_path / "nano"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFilesError) as caught:
        check_folder(folder)
    return caught.value.message


def test_the_model_that_ships_is_whole() -> None:
    check_folder(embedded_model_path())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path / "nowhere")
    assert f"There is no folder {tmp_path}/nowhere" in said
    assert "hub id" in said


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", SHARD])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    said = refusal(folder)
    assert f"{name} is missing" in said
    assert "folio model download" in said


def test_a_file_that_is_still_on_its_way_is_told_from_one_that_is_missing(folder: Path) -> None:
    (folder / SHARD).rename(folder / f"{SHARD}.0123456789ab.part")
    assert f"{SHARD} is only partly downloaded" in refusal(folder)


def test_a_shard_that_is_cut_is_named_with_its_sizes(folder: Path) -> None:
    data = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(data[:-1000])
    assert f"{SHARD} has {len(data) - 1000:,} of {len(data):,} bytes" in refusal(folder)


def test_a_shard_cut_within_its_header_is_named(folder: Path) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:100])
    assert f"{SHARD} has 100 bytes and no header" in refusal(folder)


def test_an_empty_shard_is_named(folder: Path) -> None:
    (folder / SHARD).write_bytes(b"")
    assert f"{SHARD} has 0 bytes and no header" in refusal(folder)


def test_a_damaged_header_is_named(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[8:12] = b"oops"
    (folder / SHARD).write_bytes(data)
    assert f"{SHARD} has a damaged header" in refusal(folder)


def test_a_pointer_of_git_lfs_is_no_file(folder: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10509096\n"
    (folder / SHARD).write_text(pointer)
    assert f"{SHARD} is a pointer of Git LFS" in refusal(folder)


def test_a_tensor_that_only_the_index_knows_is_named(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.layers.9.lost.weight"] = SHARD
    (folder / INDEX).write_text(json.dumps(index))
    assert f"{SHARD} lacks model.layers.9.lost.weight" in refusal(folder)


def test_a_cut_index_is_named(folder: Path) -> None:
    (folder / INDEX).write_text((folder / INDEX).read_text()[:500])
    assert f"{INDEX} is cut or not JSON" in refusal(folder)


def test_weights_for_pickle_are_not_loaded(folder: Path) -> None:
    for path in [*folder.glob("*.safetensors"), folder / INDEX]:
        path.unlink()
    assert "model.safetensors is missing" in refusal(folder)
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert "its weights are .bin files" in refusal(folder)


def test_another_model_is_told(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["LlamaForCausalLM"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "describes another model (LlamaForCausalLM" in refusal(folder)


def test_many_problems_are_told_in_part(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    (folder / INDEX).write_text(
        json.dumps({"weight_map": {f"t{n}": f"shard-{n}.safetensors" for n in range(9)}})
    )
    assert "; and 7 more" in refusal(folder)


def test_random_weights_need_no_files(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()
    check_folder(folder, with_weights=False)


def test_the_description_has_the_models_sizes() -> None:
    model = describe(embedded_model_path())
    assert (model.num_layers, model.num_heads, model.head_dim) == (5, 8, 32)
    assert (model.max_model_len, model.dtype, model.quantization) == (8192, "bfloat16", None)
    total = json.loads((embedded_model_path() / INDEX).read_text())["metadata"]["total_size"]
    assert model.weights.tower_bytes + model.weights.decoder_bytes == total


def test_a_quantised_checkpoint_is_known_by_its_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "AWQ", "bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    model = describe(folder)
    assert model.quantization == "awq"
    assert model.weights_bytes("bfloat16") == model.weights


def test_a_header_names_every_tensor_with_its_shape() -> None:
    header = read_header(embedded_model_path() / "model-00001-of-00003.safetensors")
    assert header["lm_head.weight"].shape == (1536, 256)
    assert header["lm_head.weight"].num_bytes == 1536 * 256 * 2
