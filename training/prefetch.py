"""Batches on the training device: their views, and what the network is to write about them."""

import ctypes
import mmap
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from training.batches import BatchArrays, BatchPlan
from training.loader import Loader
from training.noise import is_in_box
from training.step_clock import StepClock
from training.views import Views, make_training_views
from training.vocabulary import PAD_ID

TOKEN_ROUNDING = 32
# What a token of a box counts beside one of text: a block has one box and much text.
BOX_WEIGHT = 2.0
NUM_PARTS = 3


@dataclass(frozen=True)
class Part:
    """Pages of a batch whose answers are about as long: less padding.

    pages: which of the batch. inputs: (pages, tokens). targets: what is to be predicted where that
    is told, pages end to end; weights: of each; positions: where in bos + text (without the image)
    it is predicted; rows: its page of the part, counted from 1, which says how many images stand
    before it.
    """

    pages: Tensor
    inputs: Tensor
    targets: Tensor
    weights: Tensor
    positions: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> "Part":
        """Without waiting for the device: each copy would wait for all views made before it."""
        tensors = vars(self).values()
        if device.type == "cuda":
            tensors = [tensor.pin_memory() for tensor in tensors]
        return Part(*(tensor.to(device, non_blocking=True) for tensor in tensors))


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


def upload(plan: BatchPlan, arrays: BatchArrays, device: torch.device, dtype: torch.dtype) -> Batch:
    ink, labels, warp = (
        torch.from_numpy(array).to(device, non_blocking=True)
        for array in (arrays.ink, arrays.labels, arrays.warp)
    )
    views = make_training_views(ink, labels, warp, plan.resolution, dtype)
    by_length = torch.from_numpy(arrays.spans[:, 1].argsort())
    parts = [
        make_part(arrays, pages).to(device)
        for pages in by_length.tensor_split(NUM_PARTS)
        if len(pages)
    ]
    return Batch(plan, views, parts)


def make_part(arrays: BatchArrays, pages: Tensor) -> Part:
    spans, ids, written = (
        array[pages.numpy()] for array in (arrays.spans, arrays.ids, arrays.written)
    )
    length = -(-int(spans[:, 1].max()) // TOKEN_ROUNDING) * TOKEN_ROUNDING
    ids, written = ids[:, :length], written[:, :length]
    length = ids.shape[1]
    index = np.arange(length)
    is_told = (index >= spans[:, :1]) & (index < spans[:, 1:]) & (ids != PAD_ID)
    row, column = is_told.nonzero()
    weights = 1 + (BOX_WEIGHT - 1) * is_in_box(ids)[is_told].astype(np.float32)
    # Position p of bos + text predicts text[p].
    positions = row * (length + 1) + column
    tokens = (values.astype(np.int64) for values in (written, ids[is_told]))
    inputs, targets, weights, positions, rows = map(
        torch.from_numpy, (*tokens, weights, positions, row + 1)
    )
    return Part(pages, inputs, targets, weights, positions, rows)


class Prefetcher:
    """Uploads the batches and makes their views ahead of use, on a stream and in a thread of its
    own."""

    def __init__(
        self, loader: Loader, device: torch.device, dtype: torch.dtype, first_index: int
    ) -> None:
        self.loader, self.device, self.dtype = loader, device, dtype
        self.clock = StepClock(torch.device("cpu"))
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
                    self.clock.mark("wait")
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
        # First in turn: it has many small kernels, each of which would wait for a large one to end.
        stream = torch.cuda.Stream(priority=-1)
        with torch.cuda.stream(stream):
            yield stream

    def _upload(self, index: int) -> Batch:
        with self.loader.batch(index) as (plan, arrays):
            self.clock.mark("print")
            batch = upload(plan, arrays, self.device, self.dtype)
            if self.device.type == "cuda":
                # The next batch is printed over this one as soon as the block is left.
                torch.cuda.current_stream().synchronize()
            self.clock.mark("views")
            return batch


def page_lock(buffer: mmap.mmap) -> None:
    """So that the device reads it by itself: a copy through the driver's own buffers holds up
    every launch of the training thread. Where it cannot be locked, that is how it goes."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    torch.cuda.cudart().cudaHostRegister(address, len(buffer), 0)
