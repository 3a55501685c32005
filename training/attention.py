"""Which of torch's kernels computes SAM's global attention: about half of a step's arithmetic.

python -m training.attention    # measures them on this GPU and prints the fastest one's name
"""

import sys
import time
from dataclasses import dataclass
from types import MethodType

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from folio.model.deepencoder.positions import GridPositions
from folio.model.deepencoder.sam import RelativeAttention, SamBlock, SamEncoder

HEADS, HEAD_DIM = 4, 64
# Patches along a side, and views at once, of small and base.
MEASURED = ((40, 136), (64, 56))
MEASURED_SIZES = tuple(size for size, _ in MEASURED)


@dataclass(frozen=True)
class GlobalAttention:
    """pads_value: whether values are widened to the width of queries and keys, as some kernels
    want."""

    backend: SDPBackend
    pads_value: bool

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        width = value.shape[-1]
        if self.pads_value:
            value = functional.pad(value, (0, query.shape[-1] - width))
        out = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        return out[..., :width]


GLOBAL_ATTENTION = {
    "flash": GlobalAttention(SDPBackend.FLASH_ATTENTION, pads_value=True),
    "cudnn": GlobalAttention(SDPBackend.CUDNN_ATTENTION, pads_value=True),
    "cudnn-narrow": GlobalAttention(SDPBackend.CUDNN_ATTENTION, pads_value=False),
}


def use_global_attention(encoder: SamEncoder, name: str) -> None:
    """flash is what torch takes by itself."""
    for block in encoder.blocks:
        assert isinstance(block, SamBlock)
        if block.is_global and name != "flash":
            replace_attention(block, GLOBAL_ATTENTION[name])


def replace_attention(block: SamBlock, kind: GlobalAttention) -> None:
    """In views of the sizes that were measured. The choice stands around the block, not in it: it
    is taken when the block is compiled."""
    plain_attend, plain_forward = block.attn.attend_folded, block.forward

    def attend(self: RelativeAttention, qkv: Tensor, positions: GridPositions, size: int) -> Tensor:
        if size not in MEASURED_SIZES:
            return plain_attend(qkv, positions, size)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = self.fold_positions(query, key, positions, size)
        return kind.attend(query, key, value).transpose(1, 2).flatten(2)

    def forward(x: Tensor, positions: GridPositions) -> Tensor:
        if x.shape[1] not in MEASURED_SIZES:
            return plain_forward(x, positions)
        with sdpa_kernel(kind.backend):
            return plain_forward(x, positions)

    block.attn.attend_folded = MethodType(attend, block.attn)  # type: ignore[method-assign]
    block.forward = forward  # type: ignore[method-assign]


def measure(
    kind: GlobalAttention, size: int, views: int, *, repeats: int = 8
) -> tuple[float, float]:
    """Milliseconds of forward and backward, and the largest difference from flash of the output
    and of a gradient, relative to the largest value."""
    tensors = draw_inputs(size, views)
    expected = run_once(GLOBAL_ATTENTION["flash"], *tensors)
    actual = run_once(kind, *tensors)
    error = max(
        ((a - e).abs().max() / e.abs().max()).item() for a, e in zip(actual, expected, strict=True)
    )
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        run_once(kind, *tensors)
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / repeats * 1000, error


def draw_inputs(size: int, views: int) -> list[Tensor]:
    width = HEAD_DIM + 2 * size
    shapes = [(views, HEADS, size**2, w) for w in (width, width, HEAD_DIM)]
    scales = (0.3, 1.0, 1.0)
    return [
        (scale * torch.randn(shape, device="cuda", dtype=torch.bfloat16)).requires_grad_()
        for scale, shape in zip(scales, shapes, strict=True)
    ]


def run_once(kind: GlobalAttention, *tensors: Tensor) -> list[Tensor]:
    with sdpa_kernel(kind.backend):
        out = kind.attend(*tensors)
        gradients = torch.autograd.grad(out, tensors, out)
    return [out.detach(), *gradients]


def main() -> None:
    totals = {}
    for name, kind in GLOBAL_ATTENTION.items():
        try:
            figures = [measure(kind, size, views) for size, views in MEASURED]
        except RuntimeError as error:
            print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        told = ", ".join(f"{time:.1f} ms, error {error:.1e}" for time, error in figures)
        print(f"{name}: {told}", file=sys.stderr)
        if max(error for _, error in figures) < 0.02:
            totals[name] = sum(time for time, _ in figures)
    print(min(totals, key=totals.__getitem__, default="flash"))


if __name__ == "__main__":
    main()
