"""SAM's and CLIP's blocks with our kernels between the matrix products: on a GPU, in inference.

The same numbers as the modules' own `forward`, but for the order of rounding: a block here begins
with the norm of its input, which the block before made together with its last residual sum.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from folio.model.deepencoder.clip import ClipLayer
from folio.model.deepencoder.config import WINDOW_SIZE
from folio.model.deepencoder.positions import GridPositions
from folio.model.deepencoder.sam import SamBlock
from folio.model.kernels.rows import add_and_norm, add_and_norm_grids, quick_gelu_


def run_sam_blocks(modules: nn.ModuleList, x: Tensor, positions: Sequence[GridPositions]) -> Tensor:
    """x: (views, grid, grid, width), contiguous; written over."""
    blocks = cast("list[SamBlock]", list(modules))
    normed = add_and_norm_grids(x, None, blocks[0].norm1, to_windows=_window(blocks[0]))
    rest = [*pairwise(blocks), (blocks[-1], None)]
    for (block, following), of_block in zip(rest, positions, strict=True):
        attended = block.attn(normed, of_block)
        normed = add_and_norm_grids(x, attended, block.norm2, to_windows=0)
        delta = block.mlp.lin2(linear_gelu(normed, block.mlp.lin1))
        if following is None:
            return x.add_(delta)
        normed = add_and_norm_grids(x, delta, following.norm1, to_windows=_window(following))
    raise AssertionError("the last block returns")


def _window(block: SamBlock) -> int:
    return 0 if block.is_global else WINDOW_SIZE


def run_clip_layers(modules: nn.ModuleList, x: Tensor) -> Tensor:
    """x: (views, tokens, width), contiguous; written over."""
    layers = cast("list[ClipLayer]", list(modules))
    normed = add_and_norm(x, None, layers[0].layer_norm1)
    for layer, following in [*pairwise(layers), (layers[-1], None)]:
        normed = add_and_norm(x, layer.self_attn(normed), layer.layer_norm2)
        delta = layer.mlp.fc2(quick_gelu_(layer.mlp.fc1(normed)))
        if following is None:
            return x.add_(delta)
        normed = add_and_norm(x, delta, following.layer_norm1)
    raise AssertionError("the last layer returns")


def linear_gelu(x: Tensor, linear: nn.Linear) -> Tensor:
    """GELU of a linear layer, by the matrix product itself where it can."""
    if x.dtype != torch.bfloat16:
        return functional.gelu(linear(x))
    # By tanh, at most 5e-4 off: an eighth of what bfloat16 rounds there.
    flat = torch._addmm_activation(linear.bias, x.flatten(0, -2), linear.weight.t(), use_gelu=True)
    return flat.view(*x.shape[:-1], -1)
