"""All that is looked at before vLLM starts: the model's files, the settings, what the machine has.

What is wrong is told here in a second, in words for the operator, and not by vLLM in a minute.
"""

import logging
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

from folio.checkpoints import (
    DownloadProgress,
    ModelDescription,
    check_folder,
    describe,
    download_model,
    find_folder,
    is_hub_id,
)
from folio.checkpoints.description import (
    DTYPE_BYTES,
    StoredWeights,
    describe_config,
    is_of_tower,
)
from folio.checkpoints.folder import CONFIG_NAME, find_problems, read_json
from folio.checkpoints.hubs import Hub, HuggingFace, ModelScope
from folio.checkpoints.places import folder_of
from folio.config import EngineSettings
from folio.engine.conflicts import check_settings
from folio.engine.machine import Gpu, Machine, parse_gpus, read_gpus, read_machine, visible_gpus
from folio.engine.planning import Plan, make_plan
from folio.errors import ModelDownloadError, SetUpError

log = logging.getLogger(__name__)

Say = Callable[[str], None]

_LOG_EVERY_SECONDS = 10.0
_CUDA_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Preparation:
    """A model that can be loaded, and how."""

    folder: Path
    model: ModelDescription
    plan: Plan


def prepare(settings: EngineSettings, *, has_gpu: bool, say: Say) -> Preparation:
    """A hub id that is not here yet, or not whole, is downloaded; `say` hears how far that is.

    Raises SetUpError.
    """
    folder = find_model(settings)
    if folder is None or _is_unfinished_download(settings, folder):
        folder = download(settings, say)
    return look_at(settings, folder, find_machine(has_gpu=has_gpu))


def look_at(settings: EngineSettings, folder: Path, machine: Machine) -> Preparation:
    """Raises SetUpError: ModelFilesError, SettingsConflictError."""
    is_random = settings.load_format == "dummy"
    check_folder(folder, with_weights=not is_random)
    model = _describe_random(folder) if is_random else describe(folder)
    return Preparation(folder, model, plan_for(settings, model, machine))


def plan_for(settings: EngineSettings, model: ModelDescription, machine: Machine) -> Plan:
    """Raises SettingsConflictError."""
    check_settings(settings, model, machine)
    return make_plan(settings, model, machine)


def find_model(settings: EngineSettings) -> Path | None:
    """The model's folder, whole or not; None where it must be downloaded first."""
    return find_folder(settings.model, settings.model_folders)


def _is_unfinished_download(settings: EngineSettings, folder: Path) -> bool:
    is_ours = is_hub_id(settings.model) and folder == folder_of(
        settings.model, settings.model_folders
    )
    return is_ours and not settings.hf_hub_offline and any(find_problems(folder))


def make_hub(settings: EngineSettings) -> Hub:
    if settings.model_hub == "modelscope":
        return ModelScope(settings.modelscope_endpoint)
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    return HuggingFace(settings.hf_endpoint, token)


def download(settings: EngineSettings, say: Say) -> Path:
    """The model of the settings. Raises ModelDownloadError, ModelFilesError, what `say` raises."""
    if settings.hf_hub_offline:
        raise ModelDownloadError(
            f"{settings.model} is not on this machine, and HF_HUB_OFFLINE is set. Copy the model's "
            f"folder here and set MODEL_PATH to it."
        )
    folder = folder_of(settings.model, settings.model_folders)
    hub = make_hub(settings)
    log.info("Downloading %s from %s to %s", settings.model, hub.name, folder)
    download_model(hub, settings.model, folder, _DownloadNews(say))
    return folder


class _DownloadNews:
    """How far a download is: for those who ask at any time, and a line in the log now and then."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._logged_at = time.monotonic()

    def __call__(self, progress: DownloadProgress) -> None:
        done, total = progress.bytes_done / 1e9, progress.num_bytes / 1e9
        news = f"The model is being downloaded: {done:.2f} of {total:.2f} GB"
        self._say(news)
        if time.monotonic() - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = time.monotonic()
            log.info("%s", news)


def find_machine(*, has_gpu: bool) -> Machine:
    """Raises SetUpError where torch sees a card and cannot use it."""
    if not has_gpu:
        return read_machine(())
    return read_machine(visible_gpus(read_gpus()) or ask_torch_for_gpus())


def ask_torch_for_gpus() -> tuple[Gpu, ...]:
    """Where nvidia-smi is missing. In a process of its own: CUDA would stay initialised in ours."""
    command = [sys.executable, "-m", "folio.engine.cuda_report"]
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=_CUDA_TIMEOUT_SECONDS, check=False
    )
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SetUpError(f"The GPU cannot be used: {reason}. Run `folio doctor`.")
    return parse_gpus(answer.stdout)


def _describe_random(folder: Path) -> ModelDescription:
    """For load_format=dummy: with the weights that there would be."""
    from folio.model.checkpoint import tensor_shapes
    from folio.model.deepencoder import DeepEncoderConfig

    config = read_json(folder / CONFIG_NAME)
    model = describe_config(config, StoredWeights(0, 0))
    encoder = DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    shapes = tensor_shapes(encoder, SimpleNamespace(**config["language_config"]))
    num_elements = {True: 0, False: 0}
    for name, shape in shapes.items():
        num_elements[is_of_tower(name)] += math.prod(shape)
    dtype_bytes = DTYPE_BYTES[model.dtype]
    weights = StoredWeights(num_elements[True] * dtype_bytes, num_elements[False] * dtype_bytes)
    return replace(model, weights=weights)
