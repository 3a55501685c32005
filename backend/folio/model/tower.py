"""The DeepEncoder as an engine runs it: with weights that stay, compiled, replayed as CUDA graphs.

What a GPU gains from is a choice (`TowerOptions`); a CPU runs the plain modules.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from folio.model.deepencoder import DeepEncoder

CONFIG_KEY = "folio_tower"  # in vLLM's additional_config
VIEW_SIDES = (512, 640, 1024, 1280)
# Views at once. Of gundam's two sides as many as a step's batches have, six to an A4 page.
GRAPH_SIZES = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 30, 36)
FEW_VIEWS = 4
MANY_SIDES = (640, 1024)
MAX_GRAPH_PIXELS = 16 * 1024**2
# A batch is filled up to the next size where no more than this share of it is for nothing.
MAX_PADDING = 0.2
# Of one block's code: two kinds, four sides, one view, some views.
_MAX_VARIANTS = 32


@dataclass(frozen=True)
class TowerOptions:
    """attention: SAM's, by torch's with positions folded in, or by our own kernel; then what stands
    between matrix products is by kernels of ours too, unless compiled: each block by torch.compile.
    cuda_graphs: launched in one piece."""

    attention: Literal["folded", "fused"] = "fused"
    compiled: bool = False
    cuda_graphs: bool = False

    @classmethod
    def from_config(cls, additional_config: object) -> Self:
        """From vLLM's additional_config, which may be anything."""
        if not isinstance(additional_config, Mapping):
            return cls()
        return cls(**additional_config.get(CONFIG_KEY, {}))


class Tower:
    """Encodes views: uint8 (views, 3, side, side) -> (views, (side/64)**2, hidden_size)."""

    def __init__(self, encoder: DeepEncoder, options: TowerOptions) -> None:
        self._encoder = encoder
        self._options = options
        self._encode: Callable[[Tensor], Tensor] | None = None

    def __call__(self, views: Tensor) -> Tensor:
        """The first call, which is vLLM's profile run, prepares."""
        if self._encode is None:
            self._encode = self._prepare(views.is_cuda)
        return self._encode(views)

    def _prepare(self, is_cuda: bool) -> Callable[[Tensor], Tensor]:
        encoder, options = self._encoder, self._options
        encoder.freeze()
        if not is_cuda:
            return encoder
        lay_out_convolutions(encoder)
        if options.attention == "fused":
            encoder.use_kernels(between_products=not options.compiled)
        if options.compiled:
            compile_blocks(encoder)
        if not options.cuda_graphs:
            return encoder
        graphs = EncoderGraphs(encoder, encoder.image_newline.device)
        graphs.capture_all()
        return graphs


def lay_out_convolutions(encoder: DeepEncoder) -> None:
    """Channels last, as their input is: cuDNN would turn the weights at every call."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


def compile_blocks(encoder: DeepEncoder) -> None:
    """Block by block: all blocks of a kind share what was compiled for one."""
    torch._dynamo.config.recompile_limit = _MAX_VARIANTS
    blocks: list[Any] = [*encoder.sam_model.blocks, *encoder.vision_model.transformer.layers]
    for block in blocks:
        block.compile()


@dataclass(frozen=True, eq=False)
class CapturedBatch:
    """One graph with the places that it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    views: Tensor
    tokens: Tensor


class EncoderGraphs:
    """Replays graphs, so that the host's part of a batch is one launch for some 600 kernels."""

    def __init__(self, encode: Callable[[Tensor], Tensor], device: torch.device) -> None:
        self._encode = encode
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[int, int], CapturedBatch] = {}

    def capture_all(self) -> None:
        """The largest first: the smaller ones then fit into its memory."""
        batches = [(side, size) for side in VIEW_SIDES for size in graph_sizes(side)]
        for side, size in sorted(batches, key=_num_pixels, reverse=True):
            self._captured[side, size] = self._capture(side, size)

    def _capture(self, side: int, size: int) -> CapturedBatch:
        views = torch.zeros((size, 3, side, side), dtype=torch.uint8, device=self._device)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # what is made at the first run must not be in the graph
            self._encode(views)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            tokens = self._encode(views)
        return CapturedBatch(graph, views, tokens)

    def __call__(self, views: Tensor) -> Tensor:
        side = views.shape[-1]
        sizes = graph_sizes(side)
        if not sizes:
            return self._encode(views)
        pieces = views.split(cut_to_sizes(views.shape[0], sizes))
        encoded = [self._replay(piece) for piece in pieces]
        return encoded[0] if len(encoded) == 1 else torch.cat(encoded)

    def _replay(self, views: Tensor) -> Tensor:
        num_views, side = views.shape[0], views.shape[-1]
        captured = self._captured[side, next_size(num_views, graph_sizes(side))]
        captured.views[:num_views].copy_(views)
        captured.graph.replay()
        return captured.tokens[:num_views].clone()  # the next replay writes over it


def graph_sizes(side: int) -> tuple[int, ...]:
    """Batches of views of this side that are captured; none where it is no mode's."""
    if side not in VIEW_SIDES:
        return ()
    most = MAX_GRAPH_PIXELS // side**2 if side in MANY_SIDES else FEW_VIEWS
    return tuple(size for size in GRAPH_SIZES if size <= most)


def next_size(num_views: int, sizes: Sequence[int]) -> int:
    """The smallest that holds them all; the largest where none does."""
    return next((size for size in sizes if size >= num_views), sizes[-1])


def cut_to_sizes(num_views: int, sizes: Sequence[int]) -> list[int]:
    """Pieces to replay, of which none leaves more than MAX_PADDING of its graph empty."""
    pieces = []
    while num_views:
        size = next_size(num_views, sizes)
        if size - num_views > MAX_PADDING * size:
            size = max(size for size in sizes if size <= num_views)
        pieces.append(min(size, num_views))
        num_views -= pieces[-1]
    return pieces


def _num_pixels(batch: tuple[int, int]) -> int:
    side, size = batch
    return size * side**2
