"""Where a model's folder is: MODEL_PATH itself, what Folio downloaded, or Hugging Face's cache."""

import re
from pathlib import Path

from folio.checkpoints.folder import CONFIG_NAME

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(model_path: str) -> bool:
    """`owner/name`, and no folder of this name here."""
    return _HUB_ID.fullmatch(model_path) is not None and not Path(model_path).is_dir()


def folder_of(model_id: str, cache_dir: Path) -> Path:
    """Where a downloaded model lies, or will lie."""
    return cache_dir / model_id


def find_folder(model_path: str, cache_dir: Path) -> Path | None:
    """The model's folder, whole or not; None for a hub id that nobody has downloaded yet."""
    if not is_hub_id(model_path):
        return Path(model_path)
    folder = folder_of(model_path, cache_dir)
    return folder if folder.is_dir() else _find_in_hugging_face_cache(model_path)


def _find_in_hugging_face_cache(model_id: str) -> Path | None:
    """What `hf download`, or vLLM itself, has brought."""
    try:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - not on workers
    except ImportError:
        return None
    config = try_to_load_from_cache(model_id, CONFIG_NAME)
    return Path(config).parent if isinstance(config, str) else None
