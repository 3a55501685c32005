"""How many steps of decoding a plan of the scheduler stands for: what it and workers agree on.

Importing this does not import vLLM.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm.v1.core.sched.output import SchedulerOutput

DECODE_WINDOW = "folio_decode_window"
"""The most steps of a plan: a key of vLLM's `additional_config`."""

_ATTRIBUTE = "folio_num_steps"


def set_window(output: "SchedulerOutput", num_steps: int) -> None:
    """Have workers decode `num_steps` tokens of each request where the plan says one."""
    setattr(output, _ATTRIBUTE, num_steps)


def window_of(output: "SchedulerOutput") -> int:
    """Steps, 1 where nothing was set. The attribute travels to workers in other processes, too."""
    num_steps: int = getattr(output, _ATTRIBUTE, 1)
    return num_steps
