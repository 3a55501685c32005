"""Batches on the training device: their views, and what the network is to write about them."""

import ctypes
import mmap
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from training.batches import BatchArrays, BatchPlan
from training.loader import Loader
from training.views import Views, make_training_views
from training.vocabulary import DET, DET_END, SPECIAL_TOKENS, VOCABULARY_SIZE

# Of what it has written, and of what it has written of boxes beside those that drift (drift.py).
CORRUPTED_SHARE, CORRUPTED_BOX_SHARE = 0.05, 0.15
DET_ID, DET_END_ID = SPECIAL_TOKENS.index(DET), SPECIAL_TOKENS.index(DET_END)
TOKEN_ROUNDING = 32
# What a token of a box counts beside one of text: a block has one box and much text.
BOX_WEIGHT = 2.0
NUM_PARTS = 3


@dataclass(frozen=True)
class Part:
    """Pages of a batch whose answers are about as long: less padding.

    pages: which of the batch. inputs: (pages, tokens). targets: what is to be predicted, pages end
    to end; weights: of each; positions: where in bos + text (without
    the image) it is predicted; rows: its page of the part, counted from 1, which says how many
    images stand before it.
    """

    pages: Tensor
    inputs: Tensor
    targets: Tensor
    weights: Tensor
    positions: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> "Part":
        return Part(*(tensor.to(device) for tensor in vars(self).values()))


@dataclass(frozen=True)
class Batch:
    plan: BatchPlan
    views: Views
    parts: list[Part]

    @property
    def num_targets(self) -> int:
        return sum(len(part.targets) for part in self.parts)

    def tensors(self) -> list[Tensor]:
        views = self.views
        local = [views.local_views] if views.local_views is not None else []
        of_parts = [tensor for part in self.parts for tensor in vars(part).values()]
        return [views.global_views, views.labels, *local, *of_parts]


def upload(
    plan: BatchPlan,
    arrays: BatchArrays,
    device: torch.device,
    dtype: torch.dtype,
    corruption: float = 1.0,
) -> Batch:
    """corruption: how much of the usual shares of what was written is wrong."""
    ink, labels, warp = (
        torch.from_numpy(array).to(device, non_blocking=True)
        for array in (arrays.ink, arrays.labels, arrays.warp)
    )
    views = make_training_views(ink, labels, warp, plan.resolution, dtype)
    by_length = torch.from_numpy(arrays.spans[:, 1].argsort())
    parts = [
        make_part(arrays, pages, device, corruption)
        for pages in by_length.tensor_split(NUM_PARTS)
        if len(pages)
    ]
    return Batch(plan, views, parts)


def make_part(arrays: BatchArrays, pages: Tensor, device: torch.device, corruption: float) -> Part:
    spans, ids, written = (
        torch.from_numpy(array[pages.numpy()].astype("int64"))
        for array in (arrays.spans, arrays.ids, arrays.written)
    )
    length = -(-int(spans[:, 1].max()) // TOKEN_ROUNDING) * TOKEN_ROUNDING
    ids, written = ids[:, :length], written[:, :length]
    length = ids.shape[1]
    index = torch.arange(length)
    is_answer = (index >= spans[:, :1]) & (index < spans[:, 1:])
    row, column = is_answer.nonzero(as_tuple=True)
    inputs = corrupt(written.to(device), is_answer.to(device), corruption)
    weights = 1 + (BOX_WEIGHT - 1) * is_in_box(ids)[is_answer].float()
    # Position p of bos + text predicts text[p].
    positions = row * (length + 1) + column
    return Part(pages, inputs, ids[is_answer], weights, positions, row + 1).to(device)


def is_in_box(ids: Tensor) -> Tensor:
    """Between the tags of a box."""
    depth = ((ids == DET_ID).int() - (ids == DET_END_ID).int()).cumsum(1)
    return (depth > 0) & (ids != DET_ID)


def corrupt(ids: Tensor, is_answer: Tensor, corruption: float = 1.0) -> Tensor:
    """Some of what the network has written is wrong, so that it learns to trust the page."""
    ids = corrupt_boxes(ids, is_answer, corruption)
    is_wrong = is_answer & (torch.rand(ids.shape, device=ids.device) < CORRUPTED_SHARE * corruption)
    noise = torch.randint(len(SPECIAL_TOKENS), VOCABULARY_SIZE, ids.shape, device=ids.device)
    return torch.where(is_wrong, noise, ids)


def corrupt_boxes(ids: Tensor, is_answer: Tensor, corruption: float = 1.0) -> Tensor:
    """Some tokens between the tags of a box become those of other boxes of the batch."""
    is_box = is_answer & is_in_box(ids)
    share = CORRUPTED_BOX_SHARE * corruption
    is_wrong = is_box & (torch.rand(ids.shape, device=ids.device) < share)
    # Without waiting for the device to count: boxes first, in random order, and any of them drawn.
    order = (torch.rand(ids.shape, device=ids.device) + ~is_box).flatten().argsort()
    drawn = torch.rand(ids.numel(), device=ids.device) * is_box.sum()
    others = ids.flatten()[order[drawn.long()]].view(ids.shape)
    return torch.where(is_wrong, others, ids)


class Prefetcher:
    """Uploads the batches and makes their views ahead of use, on a stream and in a thread of its
    own."""

    def __init__(
        self, loader: Loader, device: torch.device, dtype: torch.dtype, first_index: int
    ) -> None:
        self.loader, self.device, self.dtype = loader, device, dtype
        self.corruption = 1.0
        self.ready: queue.Queue[tuple[Batch, torch.cuda.Event | None] | BaseException] = (
            queue.Queue(2)
        )
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(first_index,), daemon=True)
        self._thread.start()

    def next(self) -> Batch:
        item = self.ready.get()
        if isinstance(item, BaseException):
            raise item
        batch, event = item
        if event is not None:
            stream = torch.cuda.current_stream()
            stream.wait_event(event)
            for tensor in batch.tensors():
                tensor.record_stream(stream)
        return batch

    def stop(self) -> None:
        self._is_stopping.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self.ready.get(timeout=0.1)

    def _work(self, first_index: int) -> None:
        try:
            with self._own_stream() as stream:
                for index in count(first_index):
                    if self._is_stopping.is_set():
                        return
                    batch = self._upload(index)
                    self.ready.put((batch, stream.record_event() if stream else None))
        except BaseException as error:
            self.ready.put(error)

    @contextmanager
    def _own_stream(self) -> Iterator[torch.cuda.Stream | None]:
        if self.device.type != "cuda":
            yield None
            return
        torch.cuda.set_device(self.device)
        for buffer in self.loader.buffers:
            page_lock(buffer)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            yield stream

    def _upload(self, index: int) -> Batch:
        with self.loader.batch(index) as (plan, arrays):
            batch = upload(plan, arrays, self.device, self.dtype, self.corruption)
            if self.device.type == "cuda":
                # The next batch is printed over this one as soon as the block is left.
                torch.cuda.current_stream().synchronize()
            return batch


def page_lock(buffer: mmap.mmap) -> None:
    """So that the device reads it by itself: a copy through the driver's own buffers holds up
    every launch of the training thread. Where it cannot be locked, that is how it goes."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    torch.cuda.cudart().cudaHostRegister(address, len(buffer), 0)
