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

CORRUPTED_SHARE = 0.05
# Of what it has written of boxes, beside those that drift (drift.py).
CORRUPTED_BOX_SHARE = 0.15
DET_ID, DET_END_ID = SPECIAL_TOKENS.index(DET), SPECIAL_TOKENS.index(DET_END)
TOKEN_ROUNDING = 64


@dataclass(frozen=True)
class Batch:
    """positions: where in bos + text (without the image) each target is predicted, pages end to
    end; rows: its page, counted from 1, which says how many images stand before it."""

    plan: BatchPlan
    views: Views
    inputs: Tensor
    targets: Tensor
    positions: Tensor
    rows: Tensor

    def tensors(self) -> list[Tensor]:
        views = self.views
        local = [views.local_views] if views.local_views is not None else []
        return [
            views.global_views,
            views.labels,
            *local,
            self.inputs,
            self.targets,
            self.positions,
            self.rows,
        ]


def upload(plan: BatchPlan, arrays: BatchArrays, device: torch.device, dtype: torch.dtype) -> Batch:
    spans = torch.from_numpy(arrays.spans.astype("int64"))
    length = -(-int(spans[:, 1].max()) // TOKEN_ROUNDING) * TOKEN_ROUNDING
    ids, written = (
        torch.from_numpy(array[:, :length].astype("int64"))
        for array in (arrays.ids, arrays.written)
    )
    length = ids.shape[1]
    index = torch.arange(length)
    is_answer = (index >= spans[:, :1]) & (index < spans[:, 1:])
    row, column = is_answer.nonzero(as_tuple=True)
    # Position p of bos + text predicts text[p].
    positions = row * (length + 1) + column
    ink, labels, warp = (
        torch.from_numpy(array).to(device, non_blocking=True)
        for array in (arrays.ink, arrays.labels, arrays.warp)
    )
    views = make_training_views(ink, labels, warp, plan.resolution, dtype)
    inputs = corrupt(written.to(device), is_answer.to(device))
    targets = ids[is_answer].to(device)
    return Batch(plan, views, inputs, targets, positions.to(device), (row + 1).to(device))


def corrupt(ids: Tensor, is_answer: Tensor) -> Tensor:
    """Some of what the network has written is wrong, so that it learns to trust the page."""
    ids = corrupt_boxes(ids, is_answer)
    is_wrong = is_answer & (torch.rand(ids.shape, device=ids.device) < CORRUPTED_SHARE)
    noise = torch.randint(len(SPECIAL_TOKENS), VOCABULARY_SIZE, ids.shape, device=ids.device)
    return torch.where(is_wrong, noise, ids)


def corrupt_boxes(ids: Tensor, is_answer: Tensor) -> Tensor:
    """Some tokens between the tags of a box become those of other boxes of the batch."""
    depth = ((ids == DET_ID).int() - (ids == DET_END_ID).int()).cumsum(1)
    is_box = is_answer & (depth > 0) & (ids != DET_ID)
    is_wrong = is_box & (torch.rand(ids.shape, device=ids.device) < CORRUPTED_BOX_SHARE)
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
            batch = upload(plan, arrays, self.device, self.dtype)
            if self.device.type == "cuda":
                # The next batch is printed over this one as soon as the block is left.
                torch.cuda.current_stream().synchronize()
            return batch


def page_lock(buffer: mmap.mmap) -> None:
    """So that the device reads it by itself: a copy through the driver's own buffers holds up
    every launch of the training thread. Where it cannot be locked, that is how it goes."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    torch.cuda.cudart().cudaHostRegister(address, len(buffer), 0)
