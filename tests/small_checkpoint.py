"""A whole checkpoint of a hundred kilobytes: the small model's config, and few tensors of zeros."""

import json
import shutil
from pathlib import Path

from folio.config import embedded_model_path

SHARD = "model-00002-of-00003.safetensors"
NUM_SHARDS = 3
SHARD_BYTES = 40_000  # of its tensor


def write_small_checkpoint(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(embedded_model_path() / name, folder / name)
    weight_map = {}
    for number in range(1, NUM_SHARDS + 1):
        name = f"model-{number:05}-of-{NUM_SHARDS:05}.safetensors"
        tensor = f"model.layers.{number}.weight"
        (folder / name).write_bytes(_safetensors(tensor, bytes([number]) * SHARD_BYTES))
        weight_map[tensor] = name
    index = {"metadata": {"total_size": NUM_SHARDS * SHARD_BYTES}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _safetensors(tensor: str, data: bytes) -> bytes:
    entry = {"dtype": "BF16", "shape": [len(data) // 2], "data_offsets": [0, len(data)]}
    header = json.dumps({tensor: entry}).encode()
    return len(header).to_bytes(8, "little") + header + data
