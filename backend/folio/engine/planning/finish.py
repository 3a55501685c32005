"""The last choices of a plan, the same on cards and on a CPU."""

from collections.abc import Iterator

from folio.engine.machine import Gpu
from folio.engine.planning.draft import Draft
from folio.engine.planning.plan import SET, Choice, Memory, Plan

MIN_MODEL_LEN = 2048
LENGTH_STEP = 256


def choose_num_seqs(draft: Draft, memory: Memory, *, most: int) -> Choice[int]:
    if draft.settings.max_num_seqs is not None:
        return Choice(draft.settings.max_num_seqs, SET)
    fit = memory.kv_tokens // draft.page_tokens
    if fit >= most:
        return Choice(most, "more at once would not be faster")
    return Choice(max(1, fit), f"pages of {draft.page_tokens:,} tokens that fit the KV cache")


def _choose_model_len(draft: Draft, memory: Memory) -> Choice[int]:
    if draft.settings.max_model_len is not None:
        return Choice(draft.settings.max_model_len, SET)
    if memory.kv_tokens >= draft.model.max_model_len:
        return Choice(draft.model.max_model_len, "the model's own")
    return Choice(memory.kv_tokens // LENGTH_STEP * LENGTH_STEP, "what the KV cache holds")


def finish(
    draft: Draft,
    memory: Memory,
    gpus: tuple[Gpu, ...],
    max_num_seqs: Choice[int],
    share: Choice[float] | None,
) -> Plan:
    max_model_len = _choose_model_len(draft, memory)
    step_size = draft.step_size
    return Plan(
        gpus=gpus,
        dtype=draft.dtype,
        quantization=_choose_quantization(draft),
        kv_cache_dtype=draft.kv_cache_dtype,
        max_model_len=max_model_len,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=step_size,
        tensor_parallel_size=draft.parallel,
        gpu_memory_utilization=share,
        memory=memory,
        warnings=tuple(_find_warnings(draft, memory, max_model_len.value)),
    )


def _choose_quantization(draft: Draft) -> Choice[str | None]:
    if draft.settings.quantization is not None:
        return Choice(draft.settings.quantization, SET)
    return Choice(draft.model.quantization, "the checkpoint's")


def _find_warnings(draft: Draft, memory: Memory, max_model_len: int) -> Iterator[str]:
    if max_model_len > memory.kv_tokens:
        yield (
            f"MAX_MODEL_LEN={max_model_len} is more than the KV cache is expected to hold "
            f"({memory.kv_tokens:,} tokens): vLLM may refuse to start. Leave it empty."
        )
    parallel, num_cards = draft.parallel.value, len(draft.machine.gpus)
    num_used = parallel * draft.settings.data_parallel_size
    if num_used < num_cards:
        yield (
            f"{num_used} of {num_cards} cards would be used. "
            f"DATA_PARALLEL_SIZE={num_cards // parallel} reads with all."
        )
