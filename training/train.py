"""Trains models/nano. One process per GPU; a later call goes on from the state file of an earlier.

torchrun --nproc-per-node 4 -m training.train --total-seconds 3600 --out models/nano
"""

import argparse
import math
import os
import sys
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from training.atlas import load_atlas, training_fonts
from training.attention import GLOBAL_ATTENTION, use_global_attention
from training.batches import PageFactory
from training.checkpoint import load_checkpoint, save_checkpoint
from training.corpus import load_words
from training.loader import NEVER, STAGE_DELAY, Loader
from training.muon import Optimizer
from training.prefetch import Prefetcher
from training.step_clock import StepClock, Surprises
from training.trainee import Trainee
from training.vocabulary import PageTokenizer

MUON_RATE, ADAM_RATE = 3e-3, 1.5e-3
WARMUP_STEPS = 150
DECAY_SHARE, LAST_RATE = 0.42, 0.01
# What the network has written is wrong on purpose, less and less as the rate falls, to this part.
LAST_CORRUPTION = 0.25
AVERAGE_EVERY = 8
# It reads at 320 pixels once its loss there is below this; the share of time it may take at most.
START_LOSS, START_SHARE, VIEWS_SHARE = 0.5, 0.1, 0.22
# The auxiliary loss is gone after this share of the time.
MAP_SHARE = 0.75
# Finished weights come without the auxiliary heads. Of new ones SAM gets a gradient twice as large
# as that of the text, and of another direction, until they have learnt.
NEW_HEADS_STEPS = 250


@dataclass(frozen=True)
class Process:
    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0


class Trainer:
    def __init__(self, process: Process, options: argparse.Namespace, loader: Loader) -> None:
        self.process, self.options, self.loader = process, options, loader
        torch.manual_seed(options.seed)
        self.dtype = torch.bfloat16 if process.device.type == "cuda" else torch.float32
        self.trainee = Trainee().to(process.device, self.dtype)
        self.optimizer = Optimizer(self.trainee, fused=process.device.type == "cuda")
        self.step = self.num_pages = 0
        self.has_new_heads = options.init is not None
        self.elapsed = 0.0
        self.recent: dict[str, list[Tensor]] = defaultdict(list)
        self.start_losses: deque[Tensor] = deque(maxlen=20)
        # Only the first process tells, and events cost a little.
        self.clock = StepClock(process.device if process.is_first else torch.device("cpu"))
        self.surprises = Surprises(process.device)

    @property
    def progress(self) -> float:
        return min(1.0, self.elapsed / self.options.total_seconds)

    @property
    def rate(self) -> float:
        """Learning rate as a share of its peak: warm-up, constant, linear decay."""
        warmup = min(1.0, (self.step + 1) / WARMUP_STEPS)
        return self.options.peak_rate * warmup * max(LAST_RATE, self.decay)

    @property
    def decay(self) -> float:
        return min(1.0, (1 - self.progress) / self.options.decay_share)

    @property
    def map_weight(self) -> float:
        return max(0.0, self.options.map_weight * (1 - self.progress / MAP_SHARE))

    def run(self) -> None:
        torch.manual_seed(hash((self.options.seed, self.process.rank, self.step)) % 2**31)
        self.prefetcher = Prefetcher(self.loader, self.process.device, self.dtype, self.step)
        began, before = time.time(), self.elapsed
        logged = saved = began
        while self.elapsed - before < self.options.call_seconds and self.progress < 1:
            self.train_batch()
            if self.step >= self.options.max_steps:
                break
            self.elapsed = self.agree(before + time.time() - began)
            self.change_stage()
            if time.time() - logged > self.options.log_seconds:
                logged = time.time()
                self.log()
            if time.time() - saved > self.options.save_seconds and self.process.is_first:
                saved = time.time()
                save_checkpoint(self.averaged_weights(), self.options.out)

    def train_batch(self) -> None:
        self.loader.corruption = LAST_CORRUPTION + (1 - LAST_CORRUPTION) * self.decay
        self.clock.mark("rest")
        batch = self.prefetcher.next()
        self.clock.mark("data")
        is_map_apart = self.has_new_heads and self.step < NEW_HEADS_STEPS
        loss, figures = self.trainee(batch, self.map_weight, is_map_apart=is_map_apart)
        self.clock.mark("forward")
        loss.backward()
        self.clock.mark("backward")
        gradients = self.reduce_gradients()
        self.clock.mark("reduce")
        self.optimizer.step(
            gradients,
            muon_rate=MUON_RATE * self.rate,
            adam_rate=ADAM_RATE * self.rate,
        )
        self.trainee.zero_grad(set_to_none=True)
        self.clock.mark("optimizer")
        self.step += 1
        self.num_pages += batch.plan.num_pages * self.process.world_size
        if self.step % AVERAGE_EVERY == 0:
            self.optimizer.update_average(0.98 if self.step < 2000 else 0.985)
        self.recent[batch.plan.mode].append(figures)
        if batch.plan.mode == "start":
            self.start_losses.append(figures[0])

    def reduce_gradients(self) -> dict[str, Tensor]:
        """The mean over all processes, float32, by parameter name."""
        parameters = self.optimizer.live
        gradients = [
            p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters.values()
        ]
        flat = torch._utils._flatten_dense_tensors(gradients)
        if self.process.world_size > 1:
            dist.all_reduce(flat, op=dist.ReduceOp.AVG)
        return dict(
            zip(
                parameters,
                torch._utils._unflatten_dense_tensors(flat.float(), gradients),
                strict=True,
            )
        )

    def agree(self, seconds: float) -> float:
        """The first process's clock, so that all take the same decisions. Every eighth step: it
        waits for the GPU."""
        if self.step % 8:
            return self.elapsed
        if self.process.world_size == 1:
            return seconds
        clock = torch.tensor(seconds, device=self.process.device, dtype=torch.float64)
        dist.broadcast(clock, 0)
        return clock.item()

    def change_stage(self) -> None:
        if self.step % 8:
            return
        _, views_start, all_start = self.loader.stage_starts
        if views_start == NEVER and (self.reads_at_start() or self.progress > START_SHARE):
            self.loader.begin_stage("views", self.step + STAGE_DELAY)
        elif views_start < NEVER and all_start == NEVER and self.progress > VIEWS_SHARE:
            self.loader.begin_stage("all", self.step + STAGE_DELAY)

    def reads_at_start(self) -> bool:
        """Whether the loss at 320 pixels is low, on average over processes (all must agree)."""
        if self.step % 64 or not self.start_losses:
            return False
        loss = torch.stack(list(self.start_losses)).mean()
        if self.process.world_size > 1:
            dist.all_reduce(loss, op=dist.ReduceOp.AVG)
        return loss.item() < START_LOSS

    def log(self) -> None:
        if not self.process.is_first:
            self.recent.clear()
            return
        clock = f"seconds {self.elapsed:.0f} rate {self.rate:.3f}"
        parts = [f"step {self.step} pages {self.num_pages} {clock}"]
        for mode, figures in self.recent.items():
            loss, accuracy, *maps = torch.stack(figures).mean(0).tolist()
            if not math.isfinite(loss):
                raise FloatingPointError(f"loss {loss} in {mode} at step {self.step}")
            parts.append(
                f"{mode} x{len(figures)} {loss:.4f} {accuracy:.4f} map {maps[0]:.3f} {maps[1]:.3f}"
            )
        print(" | ".join([*parts, *self.time_report()]), flush=True)
        self.recent.clear()

    def time_report(self) -> list[str]:
        """Milliseconds a step of this process, host/device, and of the thread beside it that makes
        its batches."""
        num_steps = max(1, sum(map(len, self.recent.values())))
        return [
            f"{num_steps} steps of ms " + self.clock.report(num_steps),
            "batches " + self.prefetcher.clock.report(num_steps),
            self.surprises.report(),
        ]

    def save_state(self, path: Path) -> None:
        state = {
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "num_pages": self.num_pages,
            "elapsed": self.elapsed,
            "stage_starts": self.loader.stage_starts,
        }
        torch.save(state, path)

    def load_state(self, state: dict) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.num_pages, self.elapsed = (
            state["step"],
            state["num_pages"],
            state["elapsed"],
        )

    def load_weights(self, directory: Path) -> None:
        state = load_checkpoint(directory).state_dict()
        self.optimizer.load_weights({f"nano.{name}": value for name, value in state.items()})

    def averaged_weights(self) -> dict[str, Tensor]:
        prefix = "nano."
        return {
            name.removeprefix(prefix): value
            for name, value in self.optimizer.average.items()
            if name.startswith(prefix)
        }


def join_processes() -> Process:
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if not torch.cuda.is_available():
        return Process(0, 1, torch.device("cpu"))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    if world_size > 1:
        dist.init_process_group("nccl", device_id=device)
    torch.set_float32_matmul_precision("high")
    return Process(rank, world_size, device)


def make_loader(options: argparse.Namespace, state: dict | None) -> Loader:
    assets: Path = options.assets
    atlas = load_atlas(training_fonts(assets / "fonts"), assets.parent / "cache")
    factory = PageFactory(
        atlas, load_words(assets / "words", held_out=False), PageTokenizer(options.tokenizer)
    )
    rank = int(os.environ.get("RANK", 0))
    first = state["step"] if state else 0
    loader = Loader(
        factory, seed=options.seed, rank=rank, num_workers=options.workers, first_index=first
    )
    if state:
        loader.restore_stages(state["stage_starts"])
    elif options.init:
        loader.restore_stages([0, 0, 0])
    return loader


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=Path(".train/assets"))
    parser.add_argument("--tokenizer", type=Path, default=Path("models/nano/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path(".train/nano"))
    parser.add_argument("--state", type=Path, default=Path(".train/state.pt"))
    parser.add_argument(
        "--init", type=Path, help="go on from the weights of a checkpoint, in all modes"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peak-rate", type=float, default=1.0)
    parser.add_argument("--decay-share", type=float, default=DECAY_SHARE)
    parser.add_argument("--map-weight", type=float, default=0.6)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--total-seconds", type=float, default=4000)
    parser.add_argument("--call-seconds", type=float, default=float("inf"))
    parser.add_argument("--log-seconds", type=float, default=10)
    parser.add_argument(
        "--save-seconds",
        type=float,
        default=float("inf"),
        help="write the averaged weights this often, against a machine that is taken away",
    )
    parser.add_argument("--max-steps", type=int, default=sys.maxsize)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument(
        "--attention",
        choices=list(GLOBAL_ATTENTION),
        default="flash",
        help="see training.attention, which measures what is fastest",
    )
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    state = torch.load(options.state, map_location="cpu") if options.state.exists() else None
    loader = make_loader(options, state)
    loader.start()
    process = join_processes()
    trainer = Trainer(process, options, loader)
    if state:
        trainer.load_state(state)
    elif options.init:
        trainer.load_weights(options.init)
    if not options.no_compile:
        trainer.trainee.compile_blocks()
    use_global_attention(trainer.trainee.nano.model.sam_model, options.attention)
    trainer.run()
    trainer.prefetcher.stop()
    loader.stop()
    if process.is_first:
        save_checkpoint(trainer.averaged_weights(), options.out)
        trainer.save_state(options.state)
        trainer.log()
    if process.world_size > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
