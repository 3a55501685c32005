"""The plan for one or several cards."""

from collections.abc import Iterator
from dataclasses import replace

from folio.config import EngineSettings
from folio.engine.conflicts import FP8_KV_CAPABILITY, divides_model, lowest_capability, method_of
from folio.engine.machine import GIBIBYTE
from folio.engine.planning.draft import STEP_SIZES_ON_GPU, Draft
from folio.engine.planning.finish import MIN_MODEL_LEN, choose_num_seqs, finish
from folio.engine.planning.plan import SET, Choice, Memory, Plan, as_gb
from folio.errors import SettingsConflictError
from folio.preprocessing.resolution import max_image_tokens

MAX_SHARE = 0.9
MAX_PAGES_ON_GPU = 256
# With fewer pages at once a card idles; memory is then taken from elsewhere.
FEW_PAGES = 8

# Of the CUDA context and the libraries, taken before vLLM looks at what is free.
CONTEXT_BYTES = int(0.6 * GIBIBYTE)
# Of CUDA graphs for 256 pages at once, in proportion for fewer.
GRAPH_BYTES = int(0.5 * GIBIBYTE)
# The vision tower's graphs, of up to 36 views at once; where pages are few, they need it more.
TOWER_GRAPH_BYTES = 2 * GIBIBYTE
TOWER_GRAPHS_FROM = 32 * GIBIBYTE
# Graphs of steps in which pages come in took an H100 1.3 GB beside what vLLM counts: in a tenth of
# these cards there is room for them.
STEP_GRAPHS_FROM = 36 * GIBIBYTE
# Blocks that the allocator holds and cannot use.
FRAGMENTATION_BYTES = int(0.2 * GIBIBYTE)


def plan_gpu(draft: Draft) -> Plan:
    """The first of the drafts, from the best to the most modest, on which enough pages fit."""
    few_pages = min(FEW_PAGES, draft.settings.max_num_seqs or FEW_PAGES)
    wanted_tokens = max(few_pages * draft.page_tokens, draft.longest)
    sized = [(candidate, _gpu_memory(candidate)) for candidate in _candidates(draft)]
    for candidate, memory in sized:
        if memory.kv_tokens >= wanted_tokens:
            return _finish_gpu(candidate, memory)
    best, memory = max(sized, key=lambda item: item[1].kv_tokens)
    _check_fit(best, memory)
    return _finish_gpu(best, memory)


def _candidates(draft: Draft) -> Iterator[Draft]:
    for parallel in _parallel_choices(draft):
        wide = replace(draft, parallel=parallel)
        for step_size in _step_choices(draft):
            yield replace(wide, step_size=step_size)
        if draft.settings.kv_cache_dtype is None and _has_fp8_kv(draft):
            fp8 = Choice("fp8", "halves the memory of a page, so that more of them fit")
            for step_size in _step_choices(draft):
                yield replace(wide, step_size=step_size, kv_cache_dtype=fp8)


def _has_fp8_kv(draft: Draft) -> bool:
    return (lowest_capability(draft.machine) or (0, 0)) >= FP8_KV_CAPABILITY


def _parallel_choices(draft: Draft) -> list[Choice[int]]:
    if draft.settings.tensor_parallel_size is not None:
        return [draft.parallel]
    splits = [
        Choice(size, "the model does not fit fewer cards well")
        for size in range(2, len(draft.machine.gpus) + 1)
        if divides_model(size, draft.model)
    ]
    return [draft.parallel, *splits]


def _step_choices(draft: Draft) -> list[Choice[int]]:
    if draft.settings.max_num_batched_tokens is not None:
        return [draft.step_size]
    smallest = max_image_tokens(draft.settings.max_crops)
    smaller = [
        Choice(size, "leaves more memory for pages")
        for size in STEP_SIZES_ON_GPU[1:]
        if size >= smallest
    ]
    return [draft.step_size, *smaller]


def _gpu_memory(draft: Draft) -> Memory:
    gpus = draft.machine.gpus[: draft.parallel.value]
    total = min(gpu.total_bytes for gpu in gpus)
    free = min(gpu.free_bytes for gpu in gpus)
    share = _choose_share(draft.settings, total=total, free=free).value
    num_pages = draft.settings.max_num_seqs or MAX_PAGES_ON_GPU
    memory = draft.memory(
        total=total, free=free, budget=int(share * total), num_pages=num_pages, reserve=0
    )
    # Few pages take less beside their KV cache, so what a page takes is counted again.
    num_pages = min(num_pages, max(1, memory.kv_tokens // draft.page_tokens))
    reserve = FRAGMENTATION_BYTES + GRAPH_BYTES * num_pages // MAX_PAGES_ON_GPU
    if draft.settings.enforce_eager:
        reserve = FRAGMENTATION_BYTES
    if uses_tower_graphs(draft.settings, total):
        reserve += TOWER_GRAPH_BYTES
    return draft.memory(
        total=total, free=free, budget=int(share * total), num_pages=num_pages, reserve=reserve
    )


def uses_tower_graphs(settings: EngineSettings, total_bytes: int) -> bool:
    """On cards with so much memory, unless it is set."""
    if settings.tower_cuda_graphs is not None:
        return settings.tower_cuda_graphs
    return total_bytes >= TOWER_GRAPHS_FROM


def uses_step_graphs(settings: EngineSettings, total_bytes: int) -> bool:
    """Whether steps in which pages come in are CUDA graphs too, and not only those of writing."""
    return not settings.enforce_eager and total_bytes >= STEP_GRAPHS_FROM


def _choose_share(settings: EngineSettings, *, total: int, free: int) -> Choice[float]:
    if settings.gpu_memory_utilization is not None:
        return Choice(settings.gpu_memory_utilization, SET)
    choices = [
        Choice(MAX_SHARE, "the rest is for what vLLM does not count"),
        Choice(_floor((free - CONTEXT_BYTES) / total), "the rest is taken by other programs"),
    ]
    if settings.gpu_memory_budget_gb is not None:
        share = _floor(settings.gpu_memory_budget_gb * GIBIBYTE / total)
        choices.append(Choice(share, f"GPU_MEMORY_BUDGET_GB={settings.gpu_memory_budget_gb:g}"))
    return min(choices, key=lambda choice: choice.value)


def _floor(share: float) -> float:
    """To hundredths; vLLM wants more than nothing."""
    return max(0.01, int(share * 100 + 1e-6) / 100)


def _check_fit(draft: Draft, memory: Memory) -> None:
    """Raises SettingsConflictError where not even one short page fits."""
    if memory.kv_tokens >= MIN_MODEL_LEN:
        return
    needed = memory.weights + memory.working + MIN_MODEL_LEN * memory.kv_bytes_per_token
    raise SettingsConflictError(
        f"The model does not fit: it needs {as_gb(needed)} GB of each card "
        f"({as_gb(memory.weights)} GB of weights, {as_gb(memory.working)} GB to work in), and "
        f"{as_gb(memory.budget)} GB may be taken ({as_gb(memory.free)} of {as_gb(memory.total)} GB "
        f"are free). {_what_helps(draft, memory)}"
    )


def _what_helps(draft: Draft, memory: Memory) -> str:
    settings = draft.settings
    if settings.gpu_memory_budget_gb or settings.gpu_memory_utilization:
        return "Raise GPU_MEMORY_BUDGET_GB or GPU_MEMORY_UTILIZATION, or leave them empty."
    if memory.free < MAX_SHARE * memory.total:
        return "End what else runs on the card (nvidia-smi lists it)."
    if method_of(settings, draft.model) is None:
        return "Set QUANTIZATION=fp8, take a quantised checkpoint, or use a larger card."
    return "Use a larger card."


def _finish_gpu(draft: Draft, memory: Memory) -> Plan:
    share = _choose_share(draft.settings, total=memory.total, free=memory.free)
    gpus = draft.machine.gpus[: draft.parallel.value]
    num_seqs = choose_num_seqs(draft, memory, most=MAX_PAGES_ON_GPU)
    return finish(draft, memory, gpus, num_seqs, share)
