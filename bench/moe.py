"""Tunes vLLM's fused mixture-of-experts kernel for the model's shapes on the card at hand.

    python -m bench.moe --seconds 300 [--out backend/folio/model/moe_configs] [--num-tokens 256 1]

vLLM looks for such a file by number of experts, their width and the card's name, and has none for
this model: without it the kernel runs with blocks that suit nothing in particular. Sizes of steps
are tuned in the order of their weight in a day's work; what is found is written after each of them,
and a run that ends early leaves a file with the sizes that it got to. The next run goes on from it.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import torch

NUM_EXPERTS, EXPERT_WIDTH, HIDDEN_SIZE, EXPERTS_PER_TOKEN = 64, 896, 1280, 6
CONFIGS = Path(__file__).parents[1] / "backend" / "folio" / "model" / "moe_configs"
# Decoding of many, prefill of many, decoding of few, and what lies between.
NUM_TOKENS = [256, 192, 16384, 8192, 1, 64, 128, 16, 1024, 4096, 2048, 512, 32, 8, 4, 2, 96, 48, 24]
REPEATS = 20
Config = dict[str, int]


def candidates(num_tokens: int) -> Iterator[Config]:
    """Blocks that can be right: tokens of an expert's share up to whole tiles of them."""
    per_expert = num_tokens * EXPERTS_PER_TOKEN / NUM_EXPERTS
    if per_expert <= 32:
        choices = product((16, 32), (32, 64, 128), (64, 128), (1,), (4,), (3, 4, 5))
    elif per_expert <= 256:
        choices = product((16, 32, 64), (64, 128, 256), (64,), (1,), (4, 8), (3, 4))
    else:
        choices = product((64, 128), (128, 256), (64,), (1, 16), (4, 8), (3, 4))
    for block_m, block_n, block_k, group, num_warps, num_stages in choices:
        if (block_m + block_n) * block_k * 2 * num_stages > 220_000:  # of shared memory
            continue
        yield {
            "BLOCK_SIZE_M": block_m,
            "BLOCK_SIZE_N": block_n,
            "BLOCK_SIZE_K": block_k,
            "GROUP_SIZE_M": group,
            "num_warps": num_warps,
            "num_stages": num_stages,
        }


def compile_all(width: int, num_workers: int) -> None:
    """Run every candidate once, side by side: Triton keeps on disk what it compiles."""
    command = [sys.executable, "-m", "bench.moe", "--width", str(width), "--compile"]
    shares = [[*command, str(index), str(num_workers)] for index in range(num_workers)]
    workers = [subprocess.Popen(share, stdout=subprocess.DEVNULL) for share in shares]
    for worker in workers:
        worker.wait()


def compile_share(width: int, index: int, num_workers: int) -> None:
    for num_tokens in (256, 8192, 1):
        layer = Layer(width, num_tokens)
        for config in list(candidates(num_tokens))[index::num_workers]:
            with suppress(Exception):  # too much of something for this card: tuning skips it too
                layer.run(config)
    torch.cuda.synchronize()


class Layer:
    """One layer's experts with random weights, and tokens that choose among them evenly."""

    def __init__(self, width: int, num_tokens: int) -> None:
        options = {"device": "cuda", "dtype": torch.bfloat16}
        self.up = torch.randn(NUM_EXPERTS, 2 * width, HIDDEN_SIZE, **options) * HIDDEN_SIZE**-0.5
        self.down = torch.randn(NUM_EXPERTS, HIDDEN_SIZE, width, **options) * width**-0.5
        self.hidden = torch.randn(num_tokens, HIDDEN_SIZE, **options)
        scores = torch.rand(num_tokens, NUM_EXPERTS, device="cuda")
        weights, ids = scores.softmax(-1).topk(EXPERTS_PER_TOKEN)
        self.weights, self.ids = weights.float(), ids.to(torch.int32)

    def run(self, config: Config) -> torch.Tensor:
        from vllm.model_executor.layers.fused_moe import override_config
        from vllm.model_executor.layers.fused_moe.fused_moe import fused_experts

        with override_config(config):
            return fused_experts(self.hidden, self.up, self.down, self.weights, self.ids)


def microseconds(run: Callable[[], object]) -> float:
    """Of one run, by replaying a graph of ten: launches must not count."""
    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(10):
            run()
    times = []
    for _ in range(REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(100 * start.elapsed_time(end))
    return statistics.median(times)


def tune(layer: Layer, num_tokens: int, deadline: float) -> tuple[Config, float, float]:
    """The best of what there was time for, its microseconds, and those of vLLM's own choice."""
    best = default_config(layer, num_tokens)
    least = before = microseconds(lambda: layer.run(best))
    expected = layer.run(best)
    configs = list(candidates(num_tokens))
    random.Random(num_tokens).shuffle(configs)
    for config in configs:
        if time.monotonic() > deadline:
            break
        try:
            spent = microseconds(lambda: layer.run(config))  # noqa: B023
        except Exception:  # too much of something for this card: the next one
            torch.cuda.synchronize()
            continue
        if spent < least and is_right(layer.run(config), expected):
            best, least = config, spent
    return best, least, before


def default_config(layer: Layer, num_tokens: int) -> Config:
    """vLLM's own choice: in a file of ours it must stand where nothing better was found."""
    from vllm.model_executor.layers.fused_moe.fused_moe import get_default_config

    experts, width = layer.down.shape[0], layer.down.shape[2]
    config: Config = get_default_config(
        num_tokens, experts, width, HIDDEN_SIZE, EXPERTS_PER_TOKEN, None
    )
    return {name: value for name, value in config.items() if name != "SPLIT_K"}


def is_right(out: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((out.float() - expected.float()).norm() < 1e-2 * expected.float().norm())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--out", type=Path, default=CONFIGS)
    parser.add_argument("--num-tokens", type=int, nargs="+", default=NUM_TOKENS)
    parser.add_argument(
        "--width", type=int, default=EXPERT_WIDTH, help="with tensor parallel: less"
    )
    parser.add_argument("--workers", type=int, default=8, help="that compile beforehand")
    parser.add_argument("--compile", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("bench.moe needs a GPU")
    if options.compile:
        compile_share(options.width, *options.compile)
        return
    deadline = time.monotonic() + options.seconds
    compile_all(options.width, options.workers)
    from vllm.model_executor.layers.fused_moe.fused_moe import get_config_file_name

    path = options.out / get_config_file_name(NUM_EXPERTS, options.width, None)
    tuned: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    todo = [number for number in options.num_tokens if str(number) not in tuned]
    for index, num_tokens in enumerate(todo):
        now = time.monotonic()
        share = max(10.0, (deadline - now) / (len(todo) - index) * 1.5)
        if now > deadline - 5:
            break
        layer = Layer(options.width, num_tokens)
        best, least, before = tune(layer, num_tokens, min(deadline, now + share))
        print(f"{num_tokens:6} tokens: {before:8.1f} us -> {least:8.1f} us  {best}", flush=True)
        tuned[str(num_tokens)] = best
        write(path, tuned)
    print(path)


def write(path: Path, tuned: dict[str, Any]) -> None:
    import triton

    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = sorted(int(key) for key in tuned if key.isdigit())
    ordered = {"triton_version": triton.__version__} | {str(n): tuned[str(n)] for n in sizes}
    path.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
