"""Weights under the published tensor names, in safetensors shards, each expert's on its own."""

import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.nano import CONFIG_PATH, Nano, load_config

MAX_SHARD_BYTES = 12_000_000
STACKED = re.compile(r"(.*\.mlp\.experts)\.(gate_proj|up_proj|down_proj)$")
SINGLE = re.compile(r"(.*\.mlp\.experts)\.(\d+)\.(gate_proj|up_proj|down_proj)\.weight$")
GENERATION_CONFIG = {
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "temperature": 0.0,
    "do_sample": False,
}


def to_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    published = {}
    for name, tensor in state.items():
        stacked = STACKED.match(name)
        if not stacked:
            published[name] = tensor
            continue
        for index, expert in enumerate(tensor):
            published[f"{stacked[1]}.{index}.{stacked[2]}.weight"] = expert
    return published


def from_published(published: dict[str, Tensor]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = {}
    for name, tensor in published.items():
        single = SINGLE.match(name)
        if single:
            experts.setdefault(f"{single[1]}.{single[3]}", {})[int(single[2])] = tensor
        else:
            state[name] = tensor
    stacked = {
        name: torch.stack([parts[index] for index in sorted(parts)])
        for name, parts in experts.items()
    }
    return state | stacked


def split_into_shards(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name in sorted(tensors):
        num_bytes = tensors[name].numel() * tensors[name].element_size()
        if size + num_bytes > MAX_SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = tensors[name]
        size += num_bytes
    return shards


def save_checkpoint(state: dict[str, Tensor], directory: Path) -> None:
    """Shards in bfloat16, their index, config.json and generation_config.json."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("model*.safetensors*"):
        old.unlink()
    tensors = {
        name: value.to(torch.bfloat16).cpu().contiguous()
        for name, value in to_published(state).items()
    }
    shards = split_into_shards(tensors)
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, directory / file_name, metadata={"format": "pt"})
        (directory / file_name).chmod(0o644)
        weight_map |= dict.fromkeys(shard, file_name)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    (directory / "generation_config.json").write_text(
        json.dumps(GENERATION_CONFIG, indent=1) + "\n"
    )
    shutil.copyfile(CONFIG_PATH, directory / "config.json")


def load_checkpoint(directory: Path, *, dtype: torch.dtype = torch.float32) -> Nano:
    tensors: dict[str, Tensor] = {}
    for path in sorted(directory.glob("model-*.safetensors")):
        tensors |= load_file(path)
    nano = Nano(load_config())
    nano.load_state_dict(from_published(tensors))
    return nano.to(dtype).eval()
