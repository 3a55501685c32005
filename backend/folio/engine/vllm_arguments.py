"""From Folio's settings to vLLM's engine arguments and environment."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from folio.config import EngineSettings
from folio.engine.base import NoRepeatNgram
from folio.engine.cpu import cpu_environment
from folio.engine.planning import Plan, uses_step_graphs, uses_tower_graphs
from folio.engine.preparation import Preparation, Say, prepare
from folio.engine.repetition import CHECK_EVERY
from folio.logging import logs_json
from folio.model.pieces import TOKENS_PER_PIECE
from folio.model.vllm_version import second_runner_takes_processors
from folio.model.windows import DECODE_WINDOW

if TYPE_CHECKING:
    from folio.model.inputs import Tokenizer

log = logging.getLogger(__name__)

_JSON_LOGGING = Path(__file__).with_name("vllm_logging.json")

# Every page is seen once: a cache of prefixes or of processed images would only cost.
_COMMON: dict[str, Any] = {
    "enable_prefix_caching": False,
    "mm_processor_cache_gb": 0,
    "limit_mm_per_prompt": {"image": 1},
}
SECOND_RUNNER = "VLLM_USE_V2_MODEL_RUNNER"


def has_gpu() -> bool:
    """Whether a CUDA GPU can be used; asked without initialising CUDA in this process."""
    import torch

    return bool(torch.cuda.device_count())


def engine_arguments(settings: EngineSettings, say: Say) -> dict[str, Any]:
    """Arguments of vLLM's AsyncEngineArgs, by the plan; `say` hears what takes long.

    Raises SetUpError before vLLM is asked.
    """
    prepared = prepare(settings, has_gpu=has_gpu(), say=say)
    where = " and ".join(dict.fromkeys(gpu.name for gpu in prepared.plan.gpus)) or "the CPU"
    log.info("On %s: %s (folio plan says why)", where, prepared.plan.summary)
    for warning in prepared.plan.warnings:
        log.warning("%s", warning)
    return planned_arguments(settings, prepared)


def planned_arguments(settings: EngineSettings, prepared: Preparation) -> dict[str, Any]:
    """The same, where all is prepared."""
    plan = prepared.plan
    device = _gpu_arguments(settings, plan) if plan.gpus else _cpu_arguments(settings, plan)
    return (
        _COMMON
        | device
        | {
            "model": str(prepared.folder),
            "served_model_name": settings.model_name,
            "logits_processors": logits_processors(),
            "load_format": settings.load_format,
            "disable_log_stats": not settings.engine_stats,
            "dtype": plan.dtype.value,
            # A checkpoint's own kind vLLM finds by itself.
            "quantization": settings.quantization,
            "kv_cache_dtype": plan.kv_cache_dtype.value,
            "max_model_len": plan.max_model_len.value,
            "max_num_seqs": plan.max_num_seqs.value,
            "max_num_batched_tokens": plan.max_num_batched_tokens.value,
            "tensor_parallel_size": plan.tensor_parallel_size.value,
            "mm_processor_kwargs": {"max_crops": settings.max_crops},
        }
    )


def logits_processors() -> list[str]:
    """None where the model applies the n-gram rule itself (`folio.model.second_runner`)."""
    if os.environ.get(SECOND_RUNNER) == "1" and not second_runner_takes_processors():
        return []
    return ["folio.model.logits:NoRepeatNgramLogitsProcessor"]


def _gpu_arguments(settings: EngineSettings, plan: Plan) -> dict[str, Any]:
    assert plan.gpu_memory_utilization is not None, "a plan for cards has a share of them"
    return {
        "gpu_memory_utilization": plan.gpu_memory_utilization.value,
        "enforce_eager": bool(settings.enforce_eager),
        "cudagraph_capture_sizes": step_sizes_in_graphs(settings, plan),
        "async_scheduling": True,
        "scheduler_cls": "folio.model.scheduling.PageScheduler",
        "worker_cls": "folio.model.worker.PageWorker",
        "additional_config": {
            "folio_tower": tower_options(settings, plan),
            DECODE_WINDOW: settings.decode_window,
            TOKENS_PER_PIECE: CHECK_EVERY,
        },
    }


def step_sizes_in_graphs(settings: EngineSettings, plan: Plan) -> list[int] | None:
    """Tokens of the steps that are launched as CUDA graphs; None: vLLM's choice, 512 at most.

    In a step in which pages come in, the host launches the decoder's kernels one by one for 30 ms.
    With nine pages and more the card takes far longer than that, so those are left alone.
    """
    if not uses_step_graphs(settings, plan.memory.total):
        return None
    few = [1, 2, 4, *range(8, 257, 8), *range(320, 513, 64), 640, 768, 896]
    of_pages = [*range(1024, 4608, 256), *range(4608, 8193, 512)]
    return [size for size in few + of_pages if size <= plan.max_num_batched_tokens.value]


def tower_options(settings: EngineSettings, plan: Plan) -> dict[str, Any]:
    """The fields of `folio.model.tower.TowerOptions`."""
    return {
        "attention": settings.tower_attention,
        "compiled": settings.tower_compiled,
        "cuda_graphs": uses_tower_graphs(settings, plan.memory.total),
    }


def _cpu_arguments(settings: EngineSettings, plan: Plan) -> dict[str, Any]:
    return {
        # An operator's VLLM_CPU_KVCACHE_SPACE goes before it.
        "kv_cache_memory_bytes": plan.memory.kv_cache,
        "use_tqdm_on_load": False,
        # Text is handed over in pieces of this many tokens, each of which wakes the event loop.
        "stream_interval": 8,
        # Compiling doubles decoding but costs a minute at the start.
        "enforce_eager": settings.enforce_eager is None or settings.enforce_eager,
    }


def no_repeat_ngram_arguments(
    rule: NoRepeatNgram | None, tokenizer: "Tokenizer"
) -> dict[str, Any] | None:
    """The rule as SamplingParams.extra_args, where our logits processor finds it."""
    if rule is None:
        return None
    token_ids = [tokenizer.convert_tokens_to_ids(token) for token in rule.allowed_tokens]
    unknown = (None, tokenizer.convert_tokens_to_ids("<no such token>"))
    return {
        "no_repeat_ngram": {
            "ngram_size": rule.ngram_size,
            "window_size": rule.window_size,
            "allowed_token_ids": [token_id for token_id in token_ids if token_id not in unknown],
        }
    }


def prepare_environment() -> None:
    """Set vLLM's environment variables, before its first import; the operator's own stay."""
    if find_spec("triton") is None:
        # Every process would say so, and a CPU has no use for it.
        os.environ.setdefault("TORCH_LOGS", "-torch._library.triton")
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": _vllm_log_level(),
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONWARNINGS": "ignore::FutureWarning",
    }
    if logs_json():
        # Holds in vLLM's child processes too, which have a log of their own.
        defaults["VLLM_LOGGING_CONFIG_PATH"] = str(_JSON_LOGGING)
    if has_gpu():
        defaults["VLLM_TUNED_CONFIG_FOLDER"] = str(_moe_configs())
        if not second_runner_takes_processors():
            # It is the default of later versions, and does far less on the host for each step.
            defaults[SECOND_RUNNER] = "1"
    else:
        defaults |= cpu_environment(os.cpu_count() or 1)
    for name, value in defaults.items():
        if name == "LD_PRELOAD":
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)


def _moe_configs() -> Path:
    """Block sizes measured on cards, in files that vLLM picks from by the card's name."""
    return Path(__file__).parents[1] / "model" / "moe_configs"


def _vllm_log_level() -> str:
    """An operator reads Folio's log; vLLM's own story is for those who debug."""
    if log.isEnabledFor(logging.DEBUG):
        return "INFO"
    # The CPU build warns of every feature that only GPUs have.
    return "WARNING" if has_gpu() else "ERROR"
