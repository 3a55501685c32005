"""A worker of vLLM's that decodes several tokens of each page before it says which they are.

A step of decoding takes a card a few milliseconds, and the host nearly as many to plan it, to hand
it over and to book its tokens. The card needs none of that between two tokens: in vLLM's runners a
page's newest token stays where the next step looks for it. So `scheduling.PageScheduler` plans a
window of steps at once, and what comes back is a list of tokens for each page, which vLLM's
scheduler takes as it takes those of speculative decoding.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override
from vllm.v1.core.sched.output import GrammarOutput, SchedulerOutput
from vllm.v1.outputs import AsyncModelRunnerOutput, ModelRunnerOutput
from vllm.v1.worker.gpu_worker import Worker

from folio.model.windows import window_of


class PageWorker(Worker):
    """Runs the steps of a window one after another; the host waits for none of them."""

    _step: SchedulerOutput | None = None

    @override
    def execute_model(self, scheduler_output: SchedulerOutput) -> Any:
        self._step = scheduler_output
        return super().execute_model(scheduler_output)

    @override
    def sample_tokens(
        self, grammar_output: GrammarOutput | None
    ) -> ModelRunnerOutput | AsyncModelRunnerOutput:
        step, self._step = self._step, None
        output = super().sample_tokens(grammar_output)
        if step is None or window_of(step) == 1:
            return output
        outputs = [output]
        for number in range(1, window_of(step)):
            super().execute_model(later_step(step, number))
            outputs.append(super().sample_tokens(None))
        return WindowOutput(outputs)


def later_step(first: SchedulerOutput, number: int) -> SchedulerOutput:
    """The step of a window that comes `number` steps after its first: the same requests, each
    `number` tokens further on, in blocks that they already have."""
    requests = first.scheduled_cached_reqs
    going_on = replace(
        requests,
        resumed_req_ids=set(),
        new_block_ids=[None] * len(requests.req_ids),
        num_computed_tokens=[n + number for n in requests.num_computed_tokens],
        num_output_tokens=[n + number for n in requests.num_output_tokens],
    )
    return replace(
        first,
        scheduled_cached_reqs=going_on,
        # What the first step has done already.
        scheduled_new_reqs=[],
        scheduled_encoder_inputs={},
        finished_req_ids=set(),
        free_encoder_mm_hashes=[],
        preempted_req_ids=None,
        new_block_ids_to_zero=None,
        kv_cache_block_copies=None,
    )


class WindowOutput(AsyncModelRunnerOutput):
    """The outputs of a window's steps as one: a list of tokens for each request. Of probabilities,
    for which Folio never asks, there are the first step's."""

    def __init__(self, outputs: Sequence[ModelRunnerOutput | AsyncModelRunnerOutput]) -> None:
        self._outputs = outputs

    @override
    def get_output(self) -> ModelRunnerOutput:
        first, *later = (_wait(output) for output in self._outputs)
        for output in later:
            assert output.req_ids == first.req_ids, "the steps of a window have the same requests"
            for tokens, more in zip(first.sampled_token_ids, output.sampled_token_ids, strict=True):
                tokens.extend(more)
        return first


def _wait(output: ModelRunnerOutput | AsyncModelRunnerOutput) -> ModelRunnerOutput:
    return output.get_output() if isinstance(output, AsyncModelRunnerOutput) else output
