"""Answers questions about vLLM, as JSON, from its own code: see test_vllm_agrees."""

import dataclasses
import json
import sys
from typing import Any

from folio.engine.vllm_arguments import prepare_environment


def answer(questions: dict[str, Any]) -> dict[str, Any]:
    from vllm.engine.arg_utils import AsyncEngineArgs

    return {
        "methods": [describe_method(name) for name in questions["methods"]],
        "arguments": [field.name for field in dataclasses.fields(AsyncEngineArgs)],
        "planned": describe_config(AsyncEngineArgs(**questions["planned"]).create_engine_config()),
        "takes": [takes(arguments) for arguments in questions["asked"]],
    }


def describe_method(name: str) -> tuple[str, list[str], int]:
    from vllm.model_executor.layers.quantization import get_quantization_config

    config = get_quantization_config(name)
    # Of compressed-tensors it is a method of the instance, which it does not look at.
    of_class = hasattr(config.get_supported_act_dtypes, "__self__")
    dtypes = config.get_supported_act_dtypes(*(() if of_class else (config,)))
    names = [str(dtype).removeprefix("torch.") for dtype in dtypes]
    return name, names, config.get_min_capability()


def describe_config(config: Any) -> dict[str, Any]:
    return {
        "kv_cache_dtype": config.cache_config.cache_dtype,
        "kv_cache_memory_bytes": config.cache_config.kv_cache_memory_bytes,
        "dtype": str(config.model_config.dtype),
        "quantization": config.model_config.quantization,
        "max_model_len": config.model_config.max_model_len,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
    }


def takes(arguments: dict[str, Any]) -> bool:
    from vllm.engine.arg_utils import EngineArgs

    try:
        EngineArgs(**arguments).create_engine_config()
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    prepare_environment()
    sys.stdout.write(json.dumps(answer(json.loads(sys.argv[1]))) + "\n")
