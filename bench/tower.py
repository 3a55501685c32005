"""The full-size vision tower with random weights on a GPU, in every variant, in one run.

    python -m bench.tower [--sides 1024 640] [--views 1 6 16 36] [--kernels VARIANT | --attention]

Milliseconds per view and the share of the card's matrix rate; each variant's difference from the
encoder in float32. Then resizing on the device, and the embedding of whole pages. --attention:
torch's attention with positions folded in, beside our kernel with its work cut in several ways.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.model.deepencoder.config import WINDOW_SIZE
from folio.model.deepencoder.positions import one_hot_rows_and_columns
from folio.model.deepencoder.sam import HEAD_DIM_MULTIPLE, RelativeAttention
from folio.model.kernels.attention import Blocks, attend_on_grid
from folio.model.resampling import make_device_views
from folio.model.tower import Tower, TowerOptions
from folio.model.view_batches import PIXELS_PER_GPU_BATCH, embed_pages
from folio.preprocessing.resolution import Mode, resolve
from tests.integration.model.checkpoints import published_config, random_tensor

VARIANTS = {
    "folded": TowerOptions(attention="folded"),
    "fused": TowerOptions(),
    "fused, compiled": TowerOptions(compiled=True),
    "fused, graphs": TowerOptions(cuda_graphs=True),
    "fused, compiled, graphs": TowerOptions(compiled=True, cuda_graphs=True),
}
BLOCKS = [
    Blocks(queries, tile, num_warps, num_stages)
    for queries, num_warps in ((128, 8), (128, 4), (64, 4))
    for tile in (128, 64)
    for num_stages in (2, 3)
]
A4 = (1240, 1754)
REPEATS = 7


def make_encoder(dtype: torch.dtype, device: str) -> DeepEncoder:
    config = published_config()
    sizes = DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    encoder = DeepEncoder(sizes)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in encoder.named_parameters():
        parameter.data = random_tensor(name, tuple(parameter.shape), generator)
    return encoder.to(device, dtype).eval().requires_grad_(False)


def random_views(num_views: int, side: int, device: str) -> Tensor:
    """Blocks, not noise: uint8 (views, 3, side, side)."""
    blocks = torch.randint(0, 256, (num_views, 3, side // 16, side // 16), dtype=torch.uint8)
    return blocks.repeat_interleave(16, 2).repeat_interleave(16, 3).to(device)


def milliseconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median by the device's own clock, after two runs that warm up."""
    times = []
    for repeat in range(repeats + 2):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        if repeat >= 2:
            times.append(start.elapsed_time(end))
    return statistics.median(times)


def matrix_rate() -> float:
    """What this card does on bfloat16 matrices, in TFLOP/s."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / milliseconds(lambda: left @ right) / 1e9


def teraflops(side: int) -> float:
    """Of one view: linear layers, convolutions and attention, positions left out."""
    sam, clip = (side // 16) ** 2, (side // 64) ** 2 + 1
    padded = (-(-(side // 16) // 14) * 14) ** 2
    linear = 12 * 2 * 4 * 768**2 * (8 * padded + 4 * sam) / 12 + 12 * 2 * 8 * 768**2 * sam
    attention = 4 * 4 * sam**2 * 768 + 8 * 4 * padded * 196 * 768
    neck = 2 * sam * (768 * 256 + 9 * 256**2 + 9 * 256 * 512 / 4 + 9 * 512 * 1024 / 16)
    after = 24 * (2 * 12 * 1024**2 * clip + 4 * clip**2 * 1024) + 2 * 2048 * 1280 * clip
    return (linear + attention + neck + after) / 1e12


def print_towers(sides: list[int], numbers: list[int]) -> None:
    rate = matrix_rate()
    print(f"{torch.cuda.get_device_name()}: {rate:.0f} TFLOP/s on bfloat16 matrices")
    print(f"{'variant':26}{'side':>6}{'views':>6}{'ms/view':>9}{'of rate':>9}{'error':>9}")
    exact = make_encoder(torch.float32, "cuda")
    for name, options in VARIANTS.items():
        torch._dynamo.reset()
        tower = Tower(make_encoder(torch.bfloat16, "cuda"), options)
        for side, number in product(sides, numbers):
            views = random_views(number, side, "cuda")
            try:
                spent = milliseconds(lambda: tower(views)) / number  # noqa: B023
            except Exception as error:  # one variant that fails must not hide the others
                print(f"{name:26}{side:6}{number:6}  {type(error).__name__}: {str(error)[:200]}")
                continue
            expected = exact(views[:1])
            difference = ((tower(views)[:1].float() - expected).norm() / expected.norm()).item()
            share = teraflops(side) / spent * 1000 / rate
            print(
                f"{name:26}{side:6}{number:6}{spent:9.2f}{share:9.1%}{difference:9.1e}", flush=True
            )


def print_kernels(name: str, sides: list[int], num_views: int) -> None:
    """What one variant's time goes to, by kernel."""
    tower = Tower(make_encoder(torch.bfloat16, "cuda"), VARIANTS[name])
    for side in sides:
        views = random_views(num_views, side, "cuda")
        for _ in range(3):
            tower(views)
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            tower(views)
            torch.cuda.synchronize()
        print(f"{name}, {num_views} views of {side}")
        averages = profile.key_averages()
        print(averages.table(sort_by="self_cuda_time_total", row_limit=24), flush=True)


def print_attention(sides: list[int], num_views: int = 8) -> None:
    """Of one layer, without its linear parts: of the whole grid, and of windows."""
    print(f"{'attention':44}{'grid':>6}{'views':>6}{'ms/view':>9}{'error':>9}")
    grids = [(side // 16, 1) for side in sides] + [(WINDOW_SIZE, (-(-sides[0] // 224)) ** 2)]
    for size, per_view in grids:
        attention = RelativeAttention(768, 12, 64).to("cuda", torch.bfloat16).requires_grad_(False)
        torch.nn.init.normal_(attention.rel_pos_h, std=0.5)
        torch.nn.init.normal_(attention.rel_pos_w, std=0.5)
        x = torch.randn(num_views * per_view, size, size, 768, device="cuda", dtype=torch.bfloat16)
        one_hot = one_hot_rows_and_columns(size, HEAD_DIM_MULTIPLE, like=x)
        positions = attention.positions(size, one_hot)
        qkv = attention.qkv(x).view(len(x), size**2, 3, 12, 64)
        expected = attention.attend_folded(qkv, positions, size)
        ways: dict[str, Callable[[], Tensor]] = {
            "folded": partial(attention.attend_folded, qkv, positions, size)
        }
        for blocks in BLOCKS:
            ways[str(blocks)] = partial(
                attend_on_grid, *qkv.unbind(2), positions.rows, positions.columns, blocks
            )
        for name, run in ways.items():
            try:
                spent = milliseconds(run) / num_views
                difference = ((run() - expected).norm() / expected.norm()).item()
            except Exception as error:  # one that fails must not hide the others
                print(f"{name:44}{size:6}{num_views:6}  {type(error).__name__}: {str(error)[:200]}")
                continue
            print(f"{name:44}{size:6}{num_views:6}{spent:9.3f}{difference:9.1e}", flush=True)


def print_pages(numbers: list[int]) -> None:
    """Pages of A4 in gundam, from uint8 on the device to image tokens."""
    resolution = resolve(Mode.GUNDAM, *A4)
    page = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (*A4[::-1], 3), np.uint8))
    encoder = make_encoder(torch.bfloat16, "cuda")
    tower = Tower(encoder, TowerOptions())
    for number in numbers:
        pages = [[page.cuda()] for _ in range(number)]
        stacked = torch.stack([pixels for (pixels,) in pages])
        resizing = milliseconds(lambda: make_device_views(stacked, resolution)) / number  # noqa: B023

        def embed() -> list[Tensor]:
            return embed_pages(
                tower,
                pages,  # noqa: B023
                [resolution] * len(pages),  # noqa: B023
                image_newline=encoder.image_newline,
                view_seperator=encoder.view_seperator,
                max_pixels=PIXELS_PER_GPU_BATCH,
            )

        print(
            f"{number} A4 pages, gundam: {resizing:.3f} ms to resize and "
            f"{milliseconds(embed) / number:.2f} ms in all, a page",
            flush=True,
        )


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 640])
    parser.add_argument("--views", type=int, nargs="+", default=[1, 6, 16, 36])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--attention", action="store_true", help="the ways to attend, only")
    parser.add_argument("--kernels", choices=VARIANTS, help="one variant's time by kernel, only")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("bench.tower needs a GPU")
    if options.kernels:
        print_kernels(options.kernels, options.sides, options.views[-1])
        return
    if options.attention:
        print_attention(options.sides)
        return
    for name in set(VARIANTS) - set(options.variants):
        del VARIANTS[name]
    print_pages([1, 8, 18])
    print_towers(options.sides, options.views)


if __name__ == "__main__":
    main()
