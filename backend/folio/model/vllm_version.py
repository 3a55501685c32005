"""What the installed vLLM can do, told by its version: importing this does not import vLLM."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def second_runner_takes_processors() -> bool:
    """Whether vLLM's second model runner takes logits processors, as it does from 0.32 on.

    It is the default there. Before, it must be asked for, and the model applies the no-repeat
    n-gram rule in its stead (`model.second_runner`).
    """
    try:
        major, minor = version("vllm").split(".")[:2]
    except PackageNotFoundError:  # from a checkout of vLLM
        return True
    return (int(major), int(minor)) >= (0, 32)
