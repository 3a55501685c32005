"""What a plan is."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from folio.engine.machine import GIBIBYTE, Gpu

SET = "set by you"

Value_co = TypeVar("Value_co", covariant=True)


@dataclass(frozen=True)
class Choice(Generic[Value_co]):
    """A setting's value and why it is this one."""

    value: Value_co
    reason: str


@dataclass(frozen=True)
class Memory:
    """Bytes on each card, or of the machine where the engine runs on the CPU."""

    total: int
    free: int
    budget: int
    weights: int
    working: int
    kv_cache: int
    kv_bytes_per_token: int

    @property
    def kv_tokens(self) -> int:
        return max(0, self.kv_cache) // self.kv_bytes_per_token


@dataclass(frozen=True)
class Plan:
    """What vLLM is told. `gpus` are those that are used; none: the CPU."""

    gpus: tuple[Gpu, ...]
    dtype: Choice[str]
    quantization: Choice[str | None]
    kv_cache_dtype: Choice[str]
    max_model_len: Choice[int]
    max_num_seqs: Choice[int]
    max_num_batched_tokens: Choice[int]
    tensor_parallel_size: Choice[int]
    gpu_memory_utilization: Choice[float] | None
    memory: Memory
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """In a line; `folio plan` has the rest."""
        pages = f"{self.max_num_seqs.value} pages at once, {self.max_model_len.value} tokens each"
        return f"{pages}; KV cache {as_gb(self.memory.kv_cache)} GB; {self.dtype.value}"


def as_gb(num_bytes: float) -> str:
    """GB as on a card's label: of 2^30 bytes."""
    return f"{num_bytes / GIBIBYTE:.1f}"
