"""Loads checkpoints with vLLM's loader, without an engine, and says how it went.

`python -m tests.integration.model.load_checkpoints FOLDER ...`
"""

import socket
import sys

import torch


def main(folders):
    import vllm.plugins
    from vllm.config import set_current_vllm_config
    from vllm.engine.arg_utils import EngineArgs

    vllm.plugins.load_general_plugins()
    for number, folder in enumerate(folders):
        arguments = EngineArgs(model=folder, dtype="float32", max_model_len=512)
        config = arguments.create_engine_config()
        with set_current_vllm_config(config):
            if number == 0:
                start_one_rank()
            sys.stdout.write(f"RESULT {outcome(config)}\n")


def start_one_rank():
    from vllm.distributed.parallel_state import (
        init_distributed_environment,
        initialize_model_parallel,
    )

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    init_distributed_environment(1, 0, f"tcp://127.0.0.1:{port}", 0, backend="gloo")
    initialize_model_parallel(1, 1)


def outcome(config):
    from vllm.model_executor.model_loader import get_model_loader
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.utils.torch_utils import set_default_torch_dtype

    with set_default_torch_dtype(torch.float32):
        model = initialize_model(config)
    for parameter in model.parameters():
        parameter.data.fill_(torch.nan)
    try:
        get_model_loader(config.load_config).load_weights(model, config.model_config)
    except ValueError as error:
        return f"refused: {error}"
    untouched = [name for name, value in model.named_parameters() if value.isnan().any()]
    return f"loaded, {len(untouched)} parameters left as they were"


if __name__ == "__main__":
    main(sys.argv[1:])
