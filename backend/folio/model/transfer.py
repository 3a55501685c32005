"""From the host to the device."""

import torch
from torch import Tensor


def upload(values: Tensor, device: torch.device) -> Tensor:
    """On the device, without waiting for what it still computes.

    A copy from memory that is not pinned would queue behind all of that, and the host with it.
    """
    if device.type == "cuda" and not values.is_cuda:
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
