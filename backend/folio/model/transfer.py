"""From the host to the device."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

# A page's copy into pinned memory takes a core 2 to 5 ms; the loop that feeds the device waits.
NUM_COPIERS = 6


def upload(values: Tensor, device: torch.device) -> Tensor:
    """On the device, without waiting for what it still computes.

    A copy from memory that is not pinned would queue behind all of that, and the host with it.
    """
    if device.type == "cuda" and not values.is_cuda:
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def upload_all(tensors: Iterable[Tensor], device: torch.device) -> list[Tensor]:
    """The same for large ones, of which some are copied at once."""
    if device.type != "cuda":
        return [upload(tensor, device) for tensor in tensors]
    return [tensor.to(device, non_blocking=True) for tensor in copiers().map(pin, tensors)]


def pin(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_cuda else tensor.pin_memory()


@cache
def copiers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(NUM_COPIERS, thread_name_prefix="pin")
