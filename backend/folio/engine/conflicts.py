"""Settings that do not go with each other, the model or the machine, and what to set instead. Pure.

What vLLM 0.26 to 0.33 takes; tests hold the tables against the installed version. vLLM would refuse
most of it too, a minute later and in words for those who know its insides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from folio.checkpoints import ModelDescription
from folio.config import EngineSettings
from folio.engine.machine import Machine
from folio.errors import SettingsConflictError

Capability = tuple[int, int]
BFLOAT16_CAPABILITY: Capability = (8, 0)
FP8_KV_CAPABILITY: Capability = (8, 9)
FP8_E5M2_KV_CAPABILITY: Capability = (8, 0)


@dataclass(frozen=True)
class Method:
    """A kind of quantised weights: what the rest may be computed in, and the oldest card for it."""

    dtypes: tuple[str, ...]
    min_capability: Capability


SIXTEEN_BITS = ("bfloat16", "float16")
METHODS = {
    "awq": Method(SIXTEEN_BITS, (7, 5)),
    "gptq": Method(SIXTEEN_BITS, (6, 0)),
    "fp8": Method(SIXTEEN_BITS, (7, 5)),
    "compressed-tensors": Method(("float32", *SIXTEEN_BITS), (7, 0)),
}


def check_settings(settings: EngineSettings, model: ModelDescription, machine: Machine) -> None:
    """Raises SettingsConflictError, in words that say what to set instead."""
    conflicts = [
        *_find_quantization_conflicts(settings, model, machine),
        *_find_dtype_conflicts(settings, model, machine),
        *_find_kv_cache_conflicts(settings, model, machine),
        *_find_size_conflicts(settings, model, machine),
    ]
    if conflicts:
        raise SettingsConflictError(" ".join(conflicts))


def method_of(settings: EngineSettings, model: ModelDescription) -> str | None:
    """How the weights are quantised in memory, if they are."""
    return settings.quantization or model.quantization


def _find_quantization_conflicts(
    settings: EngineSettings, model: ModelDescription, machine: Machine
) -> Iterator[str]:
    wanted, own = settings.quantization, model.quantization
    if wanted and own and wanted != own:
        yield (
            f"QUANTIZATION={wanted}, and the checkpoint is quantised with {own}. "
            f"Leave QUANTIZATION empty: the checkpoint says it itself."
        )
    if wanted and not own and wanted != "fp8":
        yield (
            f"QUANTIZATION={wanted}, and the checkpoint is not quantised. Set MODEL_PATH to a "
            f"checkpoint made with {wanted}, or QUANTIZATION to fp8, which is done at the start, "
            f"or leave it empty."
        )
    if own == "awq" and not model.names_unquantised:
        # vLLM then guesses from the tensors' names, and takes `model.image_newline` for a module
        # `model` that is not quantised, with all that is in it.
        yield (
            "The checkpoint is quantised with awq, and its config.json does not say what in it is "
            'not. Add to its quantization_config: "modules_to_not_convert": ["sam_model", '
            '"vision_model", "projector"].'
        )
    # Both seen in vLLM 0.32: no kernel that makes fp8 of other weights, and quantised experts only
    # with AMX.
    if wanted == "fp8" and not own and not machine.gpus:
        yield "QUANTIZATION=fp8 quantises on a GPU only. Leave QUANTIZATION empty."
    if own and not machine.gpus and not machine.has_amx:
        yield (
            f"Weights in {own} need a GPU or a CPU with AMX, and this machine has neither. Set "
            f"MODEL_PATH to the checkpoint that is not quantised."
        )


def _find_dtype_conflicts(
    settings: EngineSettings, model: ModelDescription, machine: Machine
) -> Iterator[str]:
    capability = lowest_capability(machine)
    method = method_of(settings, model)
    rules = METHODS.get(method) if method else None
    dtype = settings.dtype
    if rules and dtype != "auto" and dtype not in rules.dtypes:
        yield (
            f"DTYPE={dtype} does not go with weights in {method}. "
            f"Set DTYPE to {' or '.join(rules.dtypes)}, or to auto."
        )
    if capability is None:
        return
    if dtype == "bfloat16" and capability < BFLOAT16_CAPABILITY:
        yield (
            f"DTYPE=bfloat16 needs a card of compute capability 8.0 (Ampere), and this one has "
            f"{as_version(capability)}. Set DTYPE=float16, or auto."
        )
    if rules and capability < rules.min_capability:
        yield (
            f"Weights in {method} need a card of compute capability "
            f"{as_version(rules.min_capability)}, and this one has {as_version(capability)}. "
            f"Set MODEL_PATH to the checkpoint that is not quantised."
        )


def _find_kv_cache_conflicts(
    settings: EngineSettings, model: ModelDescription, machine: Machine
) -> Iterator[str]:
    kv_cache_dtype = settings.kv_cache_dtype
    if kv_cache_dtype in (None, "auto"):
        return
    if kv_cache_dtype == "fp8_e5m2" and method_of(settings, model) == "fp8":
        yield "KV_CACHE_DTYPE=fp8_e5m2 does not go with weights in fp8. Set KV_CACHE_DTYPE=fp8."
    capability = lowest_capability(machine)
    if capability is None:
        yield from _find_cpu_kv_cache_conflicts(model, machine)
        return
    needed = FP8_E5M2_KV_CAPABILITY if kv_cache_dtype == "fp8_e5m2" else FP8_KV_CAPABILITY
    if capability < needed:
        other = "fp8_e5m2 or auto" if capability >= FP8_E5M2_KV_CAPABILITY else "auto"
        yield (
            f"KV_CACHE_DTYPE={kv_cache_dtype} needs a card of compute capability "
            f"{as_version(needed)}, and this one has {as_version(capability)}. "
            f"Set KV_CACHE_DTYPE={other}."
        )


def _find_cpu_kv_cache_conflicts(model: ModelDescription, machine: Machine) -> Iterator[str]:
    if not machine.has_avx512:
        yield (
            "A KV cache in fp8 needs a CPU with AVX-512, and this one has none. "
            "Set KV_CACHE_DTYPE=auto."
        )
    if model.head_dim % 32:
        yield (
            f"A KV cache in fp8 on a CPU needs heads of a multiple of 32, and this model's have "
            f"{model.head_dim}. Set KV_CACHE_DTYPE=auto."
        )


def _find_size_conflicts(
    settings: EngineSettings, model: ModelDescription, machine: Machine
) -> Iterator[str]:
    if settings.max_model_len and settings.max_model_len > model.max_model_len:
        yield (
            f"MAX_MODEL_LEN={settings.max_model_len}, and the model knows "
            f"{model.max_model_len} positions. Set it to that or less, or leave it empty."
        )
    parallel = settings.tensor_parallel_size or 1
    if parallel > 1 and machine.gpus and parallel > len(machine.gpus):
        yield (
            f"TENSOR_PARALLEL_SIZE={parallel}, and {len(machine.gpus)} card(s) can be used. "
            f"Set it to that or less, or leave it empty."
        )
    if not divides_model(parallel, model):
        sizes = [str(size) for size in range(1, model.num_heads + 1) if divides_model(size, model)]
        yield (
            f"TENSOR_PARALLEL_SIZE={parallel} does not divide the model's {model.num_heads} heads "
            f"and its layers. Set it to one of {', '.join(sizes)}."
        )


def divides_model(parallel: int, model: ModelDescription) -> bool:
    """Whether every part of the decoder that is split can be split in so many."""
    parts = (
        model.num_heads,
        model.num_kv_heads,
        model.intermediate_size,
        model.moe_intermediate_size,
    )
    return all(part % parallel == 0 for part in parts)


def lowest_capability(machine: Machine) -> Capability | None:
    """Of the cards that may be used; None on a machine without one."""
    return min((gpu.compute_capability for gpu in machine.gpus), default=None)


def as_version(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"
