"""How the engine uses this machine: worked out from its memory and the model, or set. Pure.

vLLM measures what the model takes when it starts and gives the rest to the KV cache; what must be
right before that is how much of the card is asked for, how many pages are decoded at once, and how
long a page may be. docs/guides/sizing.md tells the same for those who buy cards.
"""

from folio.checkpoints import ModelDescription
from folio.config import EngineSettings
from folio.engine.machine import Machine
from folio.engine.planning.cpu import plan_cpu
from folio.engine.planning.draft import begin_draft
from folio.engine.planning.gpu import plan_gpu, uses_step_graphs, uses_tower_graphs
from folio.engine.planning.plan import SET, Choice, Memory, Plan, as_gb

__all__ = [
    "SET",
    "Choice",
    "Memory",
    "Plan",
    "as_gb",
    "make_plan",
    "uses_step_graphs",
    "uses_tower_graphs",
]


def make_plan(settings: EngineSettings, model: ModelDescription, machine: Machine) -> Plan:
    """Raises SettingsConflictError where the model does not fit. `check_settings` comes first."""
    draft = begin_draft(settings, model, machine)
    return plan_gpu(draft) if machine.gpus else plan_cpu(draft)
