"""The plan for a machine without a card."""

from dataclasses import replace

from folio.engine.machine import GIBIBYTE
from folio.engine.planning.draft import Draft
from folio.engine.planning.finish import MIN_MODEL_LEN, choose_num_seqs, finish
from folio.engine.planning.plan import Plan, as_gb
from folio.errors import SettingsConflictError

MAX_PAGES_ON_CPU = 16
# The service itself, with vLLM's and torch's code, on a machine without a card.
PROGRAM_BYTES = int(1.5 * GIBIBYTE)


def plan_cpu(draft: Draft) -> Plan:
    settings, machine = draft.settings, draft.machine
    most = settings.max_num_seqs or MAX_PAGES_ON_CPU
    full = draft.memory(
        total=machine.memory_bytes,
        free=machine.available_bytes,
        budget=machine.available_bytes,
        num_pages=most,
        reserve=PROGRAM_BYTES,
    )
    wanted = max(most * draft.page_tokens, draft.longest) * full.kv_bytes_per_token
    kv_cache = min(max(wanted, GIBIBYTE), full.kv_cache)
    memory = replace(full, kv_cache=kv_cache)
    if memory.kv_tokens < MIN_MODEL_LEN:
        raise SettingsConflictError(
            f"The model does not fit: it takes {as_gb(memory.weights + memory.working)} GB of "
            f"memory in {draft.dtype.value}, and {as_gb(machine.available_bytes)} of "
            f"{as_gb(machine.memory_bytes)} GB are available. End other programs, or leave "
            f"MODEL_PATH empty for the small model."
        )
    return finish(draft, memory, (), choose_num_seqs(draft, memory, most=MAX_PAGES_ON_CPU), None)
