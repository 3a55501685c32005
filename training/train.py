"""Trains models/nano. One process per GPU; a call may stop and the next one goes on from its state file.

    torchrun --nproc-per-node 4 -m training.train --state /tmp/nano.pt --total-seconds 1100 --call-seconds 540
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from training.atlas import load_atlas, training_fonts
from training.batches import BatchArrays, BatchPlan, PageFactory
from training.character_map import CharacterMap
from training.checkpoint import save_checkpoint
from training.corpus import load_words
from training.loader import STAGE_DELAY, Loader
from training.muon import Optimizer
from training.nano import Nano, initialise, load_config
from training.views import Views, make_training_views
from training.vocabulary import SPECIAL_TOKENS, VOCABULARY_SIZE, PageTokenizer

MUON_RATE, ADAM_RATE = 3e-3, 1.5e-3
WARMUP_STEPS = 150
DECAY_SHARE, LAST_RATE = 0.42, 0.02
CORRUPTED_SHARE = 0.04
BALANCE_WEIGHT = 0.01
AVERAGE_EVERY = 8
TOKEN_ROUNDING = 64
# The network reads at 320 pixels once its loss there is below this; the share of time it may take at most.
START_LOSS, START_SHARE, VIEWS_SHARE = 0.5, 0.1, 0.22
MAPPED_PAGES = 0.4


@dataclass(frozen=True)
class Process:
    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0


class Trainee(nn.Module):
    """The network and the auxiliary head that trains with it."""

    def __init__(self) -> None:
        super().__init__()
        self.nano = Nano(load_config())
        initialise(self.nano)
        config = self.nano.model.config
        self.character_map = CharacterMap(config.sam.width, config.hidden_size)

    def compile_blocks(self) -> None:
        model = self.nano.model
        for block in [*model.sam_model.blocks, *model.vision_model.transformer.layers, *model.layers]:
            block.compile(dynamic=True)

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Views -> SAM's patches and the projected image tokens."""
        model = self.nano.model
        patches = model.sam_model.encode_patches(pixels)
        return patches, model.encode_features(model.sam_model.compress(patches))

    def forward(self, batch: "Batch", map_weight: float) -> tuple[Tensor, Tensor]:
        """The loss to go down, and cross entropy and accuracy of the text and the map's two losses to look at."""
        views, nano = batch.views, self.nano
        patches, tokens = self.encode(views.global_views)
        local = self.encode(views.local_views)[1] if views.local_views is not None else None
        image = nano.model.image_tokens(tokens, local, batch.plan.resolution.crop_grid)
        hidden, balance = nano.model.decode(nano.embed_prompt(image, batch.inputs))
        logits = nano.lm_head(hidden.flatten(0, 1)[batch.positions + image.shape[1] * batch.rows]).float()
        text_loss = functional.cross_entropy(logits, batch.targets)
        loss = text_loss + BALANCE_WEIGHT * balance
        map_losses = torch.zeros(2, device=loss.device)
        if map_weight > 0 and local is None:
            count = max(1, int(MAPPED_PAGES * len(tokens)))
            map_losses = self.character_map(patches[:count], tokens[:count], views.labels[:count])
            loss = loss + map_weight * map_losses.sum()
        accuracy = (logits.argmax(-1) == batch.targets).float().mean()
        return loss, torch.stack([text_loss.detach(), accuracy, *map_losses.detach()])


@dataclass(frozen=True)
class Batch:
    """positions: where in bos + text (without the image) each target is predicted, pages end to end; rows: its page,
    counted from 1, which says how many images stand before it."""

    plan: BatchPlan
    views: Views
    inputs: Tensor
    targets: Tensor
    positions: Tensor
    rows: Tensor


def upload(plan: BatchPlan, arrays: BatchArrays, device: torch.device, dtype: torch.dtype) -> Batch:
    spans = torch.from_numpy(arrays.spans.astype("int64"))
    length = -(-int(spans[:, 1].max()) // TOKEN_ROUNDING) * TOKEN_ROUNDING
    ids = torch.from_numpy(arrays.ids[:, :length].astype("int64"))
    length = ids.shape[1]
    index = torch.arange(length)
    is_answer = (index >= spans[:, :1]) & (index < spans[:, 1:])
    row, column = is_answer.nonzero(as_tuple=True)
    # Position p of bos + text predicts text[p].
    positions = row * (length + 1) + column
    ink, labels, warp, ids, is_answer, row, positions = (
        tensor.to(device, non_blocking=True)
        for tensor in (
            torch.from_numpy(arrays.ink), torch.from_numpy(arrays.labels), torch.from_numpy(arrays.warp),
            ids, is_answer, row, positions,
        )
    )  # fmt: skip
    views = make_training_views(ink, labels, warp, plan.resolution, dtype)
    targets = ids.flatten()[row * length + positions - row * (length + 1)]
    return Batch(plan, views, corrupt(ids, is_answer), targets, positions, row + 1)


def corrupt(ids: Tensor, is_answer: Tensor) -> Tensor:
    """Some of what the network has written is wrong, so that it learns to trust the page."""
    is_wrong = is_answer & (torch.rand(ids.shape, device=ids.device) < CORRUPTED_SHARE)
    noise = torch.randint(len(SPECIAL_TOKENS), VOCABULARY_SIZE, ids.shape, device=ids.device)
    return torch.where(is_wrong, noise, ids)


class Trainer:
    def __init__(self, process: Process, options: argparse.Namespace, loader: Loader) -> None:
        self.process, self.options, self.loader = process, options, loader
        torch.manual_seed(options.seed)
        self.dtype = torch.bfloat16 if process.device.type == "cuda" else torch.float32
        self.trainee = Trainee().to(process.device, self.dtype)
        self.optimizer = Optimizer(self.trainee, fused=process.device.type == "cuda")
        self.step = self.num_pages = 0
        self.elapsed = 0.0
        self.recent: dict[str, list[Tensor]] = defaultdict(list)
        self.start_loss = float("inf")
        torch.manual_seed(options.seed * 1000 + process.rank)

    @property
    def progress(self) -> float:
        return min(1.0, self.elapsed / self.options.total_seconds)

    @property
    def rate(self) -> float:
        """Learning rate as a share of its peak: warm-up, constant, linear decay."""
        warmup = min(1.0, (self.step + 1) / WARMUP_STEPS)
        return warmup * min(1.0, max(LAST_RATE, (1 - self.progress) / DECAY_SHARE))

    @property
    def map_weight(self) -> float:
        return max(0.0, 0.6 * (1 - self.progress / 0.75))

    def run(self) -> None:
        began, before = time.time(), self.elapsed
        logged = began
        while self.elapsed - before < self.options.call_seconds and self.progress < 1:
            self.train_batch()
            if self.step >= self.options.max_steps:
                break
            self.elapsed = self.agree(before + time.time() - began)
            self.change_stage()
            if time.time() - logged > self.options.log_seconds:
                logged = time.time()
                self.log()

    def train_batch(self) -> None:
        with self.loader.batch(self.step) as (plan, arrays):
            batch = upload(plan, arrays, self.process.device, self.dtype)
        loss, figures = self.trainee(batch, self.map_weight)
        loss.backward()
        self.optimizer.step(
            self.reduce_gradients(), muon_rate=MUON_RATE * self.rate, adam_rate=ADAM_RATE * self.rate
        )
        self.trainee.zero_grad(set_to_none=True)
        self.step += 1
        self.num_pages += plan.num_pages * self.process.world_size
        if self.step % AVERAGE_EVERY == 0:
            self.optimizer.update_average(0.98 if self.step < 2000 else 0.985)
        self.recent[plan.mode].append(figures)

    def reduce_gradients(self) -> dict[str, Tensor]:
        """The mean over all processes, float32, by parameter name."""
        parameters = self.optimizer.live
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters.values()]
        if self.process.world_size > 1:
            flat = torch._utils._flatten_dense_tensors(gradients)
            dist.all_reduce(flat, op=dist.ReduceOp.AVG)
            gradients = torch._utils._unflatten_dense_tensors(flat, gradients)
        return {name: gradient.float() for name, gradient in zip(parameters, gradients, strict=True)}

    def agree(self, seconds: float) -> float:
        """The first process's clock, so that all take the same decisions. Every eighth step: it waits for the GPU."""
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
        starts = self.loader.stage_starts
        never = max(starts)
        if starts[1] == never and (self.reads_at_start() or self.progress > START_SHARE):
            self.loader.begin_stage("views", self.step + STAGE_DELAY)
        elif starts[1] < never and starts[2] == never and self.progress > VIEWS_SHARE:
            self.loader.begin_stage("all", self.step + STAGE_DELAY)

    def reads_at_start(self) -> bool:
        """Whether the loss at 320 pixels is low, on average over processes (all must agree)."""
        if self.step % 64 or not self.recent["start"]:
            return False
        loss = torch.stack(self.recent["start"][-20:])[:, 0].mean()
        if self.process.world_size > 1:
            dist.all_reduce(loss, op=dist.ReduceOp.AVG)
        return loss.item() < START_LOSS

    def log(self) -> None:
        if not self.process.is_first:
            self.recent.clear()
            return
        parts = [f"step {self.step} pages {self.num_pages} seconds {self.elapsed:.0f} rate {self.rate:.3f}"]
        for mode, figures in self.recent.items():
            loss, accuracy, *maps = torch.stack(figures).mean(0).tolist()
            parts.append(f"{mode} x{len(figures)} {loss:.4f} {accuracy:.4f} map {maps[0]:.3f} {maps[1]:.3f}")
        self.recent.clear()
        print(" | ".join(parts), flush=True)

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
        self.step, self.num_pages, self.elapsed = state["step"], state["num_pages"], state["elapsed"]

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
    torch.backends.cudnn.benchmark = False
    return Process(rank, world_size, device)


def make_loader(options: argparse.Namespace, state: dict | None) -> Loader:
    assets: Path = options.assets
    atlas = load_atlas(training_fonts(assets / "fonts"), assets.parent / "cache")
    factory = PageFactory(atlas, load_words(assets / "words", held_out=False), PageTokenizer(options.tokenizer))
    rank = int(os.environ.get("RANK", 0))
    first = state["step"] if state else 0
    loader = Loader(factory, seed=options.seed, rank=rank, num_workers=options.workers, first_index=first)
    if state:
        loader.restore_stages(state["stage_starts"])
    return loader


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=Path, default=Path(".train/assets"))
    parser.add_argument("--tokenizer", type=Path, default=Path("models/nano/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path(".train/nano"))
    parser.add_argument("--state", type=Path, default=Path(".train/state.pt"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--total-seconds", type=float, default=4000)
    parser.add_argument("--call-seconds", type=float, default=float("inf"))
    parser.add_argument("--log-seconds", type=float, default=10)
    parser.add_argument("--max-steps", type=int, default=sys.maxsize)
    parser.add_argument("--no-compile", action="store_true")
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
    if not options.no_compile:
        trainer.trainee.compile_blocks()
    trainer.run()
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
