"""The model's files, and whether the settings and the memory are right for it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from folio.checkpoints import is_hub_id
from folio.checkpoints.folder import find_problems
from folio.cli.doctor.check import Check, failure, ok, warning
from folio.config import EngineSettings
from folio.engine.machine import Machine, read_gpus, read_machine, visible_gpus
from folio.engine.preparation import find_model, look_at, make_hub
from folio.errors import SetUpError

_MAX_PROBLEMS = 4


def check_model(
    settings: EngineSettings, *, has_cuda_build: bool, is_running: bool
) -> Iterator[Check]:
    """`is_running`: the memory that is taken is Folio's own, so the plan counts it as free."""
    folder = find_model(settings)
    if folder is None:
        yield _without_folder(settings)
        return
    problems = list(find_problems(folder, with_weights=settings.load_format != "dummy"))
    if problems:
        yield failure("Model", f"{folder}: {'; '.join(problems[:_MAX_PROBLEMS])}", _mend(settings))
        return
    yield ok("Model", f"{settings.model_name} in {folder}")
    yield _check_plan(settings, folder, _machine(has_cuda_build, is_running))


def _without_folder(settings: EngineSettings) -> Check:
    if settings.hf_hub_offline:
        return failure(
            "Model",
            f"{settings.model} is not on this machine, and HF_HUB_OFFLINE is set",
            "Copy the model's folder here and set MODEL_PATH to it.",
        )
    detail = f"{settings.model} is not here yet: the start will download it"
    advice = f"To have it before, from {make_hub(settings).name}: {_download_command(settings)}"
    return warning("Model", detail, advice)


def _check_plan(settings: EngineSettings, folder: Path, machine: Machine) -> Check:
    try:
        plan = look_at(settings, folder, machine).plan
    except SetUpError as error:
        return failure("Plan", error.message, "Then look at what comes of it: folio plan")
    num_wanted = plan.tensor_parallel_size.value * settings.data_parallel_size
    if plan.gpus and num_wanted > len(machine.gpus):
        return failure(
            "Plan",
            f"DATA_PARALLEL_SIZE={settings.data_parallel_size} takes {num_wanted} cards, and "
            f"{len(machine.gpus)} can be used",
            "Set DATA_PARALLEL_SIZE to what there is.",
        )
    if plan.warnings:
        return warning("Plan", plan.summary, " ".join(plan.warnings))
    return ok("Plan", plan.summary)


def _machine(has_cuda_build: bool, is_running: bool) -> Machine:
    machine = read_machine(visible_gpus(read_gpus()) if has_cuda_build else ())
    if not is_running:
        return machine
    gpus = tuple(replace(gpu, free_bytes=gpu.total_bytes) for gpu in machine.gpus)
    return replace(machine, gpus=gpus, available_bytes=machine.memory_bytes)


def _mend(settings: EngineSettings) -> str:
    if is_hub_id(settings.model):
        return f"Run: {_download_command(settings)}"
    return (
        "Copy what is missing, or set MODEL_PATH to a hub id, which is downloaded and checked: "
        "deepseek-ai/DeepSeek-OCR."
    )


def _download_command(settings: EngineSettings) -> str:
    return f"folio model download {settings.model}"
