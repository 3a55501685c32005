"""Worker processes that print batches into shared memory, delivered in the order of their index."""

import mmap
import multiprocessing
import queue
import random
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized

from training.batches import MAX_SLOT_BYTES, STAGES, BatchArrays, BatchPlan, PageFactory, draw_plan

NEVER = 2**31 - 1
# A change of stage takes effect this many batches later, beyond what any worker has begun.
STAGE_DELAY = 96


class Loader:
    """Start it before the device is touched: the workers are forks of this process."""

    def __init__(
        self, factory: PageFactory, *, seed: int, rank: int, num_workers: int, first_index: int
    ) -> None:
        self.factory, self.seed, self.rank = factory, seed, rank
        context = multiprocessing.get_context("fork")
        num_slots = min(num_workers + 6, STAGE_DELAY // 2)
        self._slots = [mmap.mmap(-1, MAX_SLOT_BYTES) for _ in range(num_slots)]
        self._free, self._done = context.Queue(), context.Queue()
        for slot in range(num_slots):
            self._free.put(slot)
        self._next_index = context.Value("q", first_index)
        self._stage_starts: list[Synchronized[int]] = [
            context.Value("q", 0 if i == 0 else NEVER) for i in range(3)
        ]
        self._corruption = context.Value("d", 1.0)
        self._ready: dict[int, int] = {}
        self._processes = [
            context.Process(target=self._work, daemon=True) for _ in range(num_workers)
        ]

    def start(self) -> None:
        for process in self._processes:
            process.start()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()

    @property
    def buffers(self) -> list[mmap.mmap]:
        """What the arrays of all batches lie in."""
        return self._slots

    @property
    def corruption(self) -> float:
        """How much of the usual shares of what was written is wrong in batches yet to begin."""
        return self._corruption.value

    @corruption.setter
    def corruption(self, value: float) -> None:
        self._corruption.value = value

    def stage_of(self, index: int) -> str:
        begun = [
            stage
            for stage, start in zip(STAGES, self._stage_starts, strict=True)
            if start.value <= index
        ]
        return begun[-1]

    def begin_stage(self, stage: str, index: int) -> None:
        """From this batch index on; every rank must say the same."""
        self._stage_starts[STAGES.index(stage)].value = index

    @property
    def stage_starts(self) -> list[int]:
        return [start.value for start in self._stage_starts]

    def restore_stages(self, starts: list[int]) -> None:
        for value, start in zip(self._stage_starts, starts, strict=True):
            value.value = start

    def plan(self, index: int) -> BatchPlan:
        return draw_plan(self.seed, index, self.stage_of(index))

    @contextmanager
    def batch(self, index: int) -> Iterator[tuple[BatchPlan, BatchArrays]]:
        """Waits for a batch; its arrays are valid until the block is left."""
        while index not in self._ready:
            done_index, slot = self._done.get()
            self._ready[done_index] = slot
        slot = self._ready.pop(index)
        plan = self.plan(index)
        try:
            yield plan, BatchArrays.in_buffer(memoryview(self._slots[slot]), plan)
        finally:
            self._free.put(slot)

    def _work(self) -> None:
        random.seed()
        while True:
            try:
                slot = self._free.get(timeout=60)
            except queue.Empty:
                continue
            with self._next_index.get_lock():
                index = self._next_index.value
                self._next_index.value += 1
            plan = self.plan(index)
            arrays = BatchArrays.in_buffer(memoryview(self._slots[slot]), plan)
            seed = f"{self.seed} {self.rank}"
            try:
                self.factory.fill(plan, arrays, seed, corruption=self.corruption)
            except Exception:
                # One page that cannot be set must not end a run; the traceback says which.
                traceback.print_exc()
                self.factory.fill(plan, arrays, f"{seed} again")
            self._done.put((index, slot))
