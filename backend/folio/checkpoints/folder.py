"""Whether a model's folder is whole. Told before the engine starts, which would say it late and in
words for those who wrote it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from folio.checkpoints.safetensors_header import TensorEntry, read_header
from folio.errors import ModelFilesError

ARCHITECTURE = "DeepseekOCRForCausalLM"
CONFIG_NAME = "config.json"
INDEX_NAME = "model.safetensors.index.json"
PART_SUFFIX = ".part"
TOKENIZER_NAMES = ("tokenizer.json", "tokenizer.model")
_MAX_PROBLEMS_TOLD = 4

Tensors = Mapping[str, TensorEntry]


def check_folder(folder: Path, *, with_weights: bool = True) -> None:
    """Raises ModelFilesError, naming the files that are missing, cut or of another model."""
    if not folder.is_dir():
        raise ModelFilesError(
            f"There is no folder {folder}, which MODEL_PATH names. Set it to one that is there (in "
            "a container, as it sees it), or to a hub id such as deepseek-ai/DeepSeek-OCR, "
            "which is downloaded."
        )
    problems = list(find_problems(folder, with_weights=with_weights))
    if not problems:
        return
    told = "; ".join(problems[:_MAX_PROBLEMS_TOLD])
    rest = len(problems) - _MAX_PROBLEMS_TOLD
    more = f"; and {rest} more" if rest > 0 else ""
    raise ModelFilesError(
        f"The model in {folder} cannot be loaded: {told}{more}. Download it again with "
        f"`folio model download`, which goes on where it stopped, or copy what is missing."
    )


def find_problems(folder: Path, *, with_weights: bool = True) -> Iterator[str]:
    """What keeps this folder from being loaded, each in a few words with the file's name."""
    if not folder.is_dir():
        yield "there is no such folder"
        return
    yield from _find_config_problems(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_NAMES):
        yield f"{TOKENIZER_NAMES[0]} is missing"
    if with_weights:
        yield from _find_weight_problems(folder)


def read_json(path: Path) -> dict[str, Any]:
    """Raises ModelFilesError where it is missing or not an object."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelFilesError(f"{path.name} is missing") from error
    except OSError as error:
        raise ModelFilesError(f"{path.name} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelFilesError(f"{path.name} is cut or not JSON") from error
    if not isinstance(content, dict):
        raise ModelFilesError(f"{path.name} holds no settings")
    return content


def shard_names(folder: Path) -> dict[str, set[str]]:
    """Files with weights, and the tensors that the index says are in each (none without an index).

    Raises ModelFilesError for an index that is damaged.
    """
    if not (folder / INDEX_NAME).is_file():
        return {path.name: set() for path in sorted(folder.glob("*.safetensors"))}
    shards: dict[str, set[str]] = {}
    weight_map = read_json(folder / INDEX_NAME).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelFilesError(f"{INDEX_NAME} names no tensor")
    for tensor, name in weight_map.items():
        shards.setdefault(str(name), set()).add(tensor)
    return shards


def _find_config_problems(folder: Path) -> Iterator[str]:
    try:
        config = read_json(folder / CONFIG_NAME)
    except ModelFilesError as error:
        yield error.message
        return
    architectures = config.get("architectures") or ["none"]
    if ARCHITECTURE not in architectures:
        yield (
            f"{CONFIG_NAME} describes another model ({architectures[0]}; "
            f"Folio reads with {ARCHITECTURE})"
        )


def _find_weight_problems(folder: Path) -> Iterator[str]:
    try:
        shards = shard_names(folder)
    except ModelFilesError as error:
        yield error.message
        return
    if not shards:
        yield _without_weights(folder)
    for name, tensors in sorted(shards.items()):
        if problem := _find_shard_problem(folder / name, tensors):
            yield f"{name} {problem}"


def _without_weights(folder: Path) -> str:
    parts = sorted(path.name for path in folder.glob(f"*.safetensors*{PART_SUFFIX}"))
    if parts:
        return f"{parts[0].split('.safetensors')[0]}.safetensors is only partly downloaded"
    if list(folder.glob("*.bin")):
        return "its weights are .bin files, and Folio loads .safetensors"
    return "model.safetensors is missing"


def _find_shard_problem(path: Path, tensors: set[str]) -> str | None:
    if not path.is_file():
        is_partly_there = any(path.parent.glob(f"{path.name}*{PART_SUFFIX}"))
        return "is only partly downloaded" if is_partly_there else "is missing"
    try:
        missing = sorted(tensors - read_header(path).keys())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError as error:
        return str(error)
    if missing:
        return f"lacks {missing[0]}, which {INDEX_NAME} places in it"
    return None
