"""All views of a step through the tower together: one batch per view size, bounded in pixels."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# 16 views of 1024 x 1024 at once keep a GPU busy; activations beyond that only cost memory.
PIXELS_PER_GPU_BATCH = 16 * 1024**2
# A CPU gains nothing from batches.
PIXELS_PER_CPU_BATCH = 2 * 1024**2


def pixels_per_batch(device: torch.device) -> int:
    """How many pixels to encode at once."""
    return PIXELS_PER_CPU_BATCH if device.type == "cpu" else PIXELS_PER_GPU_BATCH


def encode_by_size(
    encode: Callable[[Tensor], Tensor],
    stacks: Sequence[Tensor],
    *,
    max_pixels: int,
) -> list[Tensor]:
    """Encode stacks of views, each (views, 3, side, side) -> (views, tokens, hidden), in order.

    Stacks of one side share batches, whichever image they belong to.
    """
    encoded: list[Tensor | None] = [None] * len(stacks)
    for side in sorted({stack.shape[-1] for stack in stacks}):
        indices = [index for index, stack in enumerate(stacks) if stack.shape[-1] == side]
        views = torch.cat([stacks[index] for index in indices])
        batches = views.split(max(1, max_pixels // side**2))
        tokens = torch.cat([encode(batch) for batch in batches])
        parts = tokens.split([stacks[index].shape[0] for index in indices])
        for index, part in zip(indices, parts, strict=True):
            encoded[index] = part
    return [part for part in encoded if part is not None]
