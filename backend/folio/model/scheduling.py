"""vLLM's scheduler with short cuts for requests that are only being written, windows and pieces.

Of two hundred pages in a step nearly all are. vLLM asks for each of them, at each step, whether
its image is to be encoded and whether it needs another block of the KV cache: with a card that
takes six milliseconds for the step, a third of that again on the host. Where nothing else is to be
done, one plan stands for a window of steps (`model.worker`), and what it wrote is handed over in
pieces (`model.pieces`).
"""

from functools import partial
from typing import Any

from typing_extensions import override
from vllm.v1.core.kv_cache_manager import KVCacheBlocks, KVCacheManager
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.engine import EngineCoreOutputs
from vllm.v1.kv_cache_interface import FullAttentionSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request

from folio.model.compat import NO_ENCODER_INPUTS
from folio.model.pieces import TOKENS_PER_PIECE, Pieces
from folio.model.windows import DECODE_WINDOW, set_window

# Steps after which what a step has written is known: the next one is planned while it runs.
_STEPS_UNTIL_KNOWN = 2


class PageScheduler(AsyncScheduler):
    """For one image in each prompt, and nothing between requests that is shared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        manager = self.kv_cache_manager
        if keeps_every_block(manager):
            self.kv_cache_manager.allocate_slots = partial(allocate_slots, manager)  # type: ignore[method-assign]
        options = self.vllm_config.additional_config
        self._pieces = Pieces(int(options.get(TOKENS_PER_PIECE, 1)))
        self._window = int(options.get(DECODE_WINDOW, 1))
        # Room for the tokens of a window is made when it is planned.
        self.num_lookahead_tokens: int = self._window - 1

    @override
    def schedule(self, *args: Any, **kwargs: Any) -> SchedulerOutput:
        output = super().schedule(*args, **kwargs)
        if self._window > 1 and self._only_writes(output):
            self._lengthen(output)
        return output

    def _only_writes(self, output: SchedulerOutput) -> bool:
        """Whether each request of the step gets one token, and has room for those of a window."""
        tokens = output.num_scheduled_tokens
        return (
            0 < len(tokens) == output.total_num_scheduled_tokens
            and len(output.scheduled_cached_reqs.req_ids) == len(tokens)
            and not output.scheduled_encoder_inputs
            and max(output.scheduled_cached_reqs.num_computed_tokens) + self._window
            < self.max_model_len
            and not any(self.requests[request_id].is_prefill_chunk for request_id in tokens)
        )

    def _lengthen(self, output: SchedulerOutput) -> None:
        """Book the tokens of the window's later steps as vLLM has booked those of the first.

        A request that comes to its end on the way writes on until the window's: vLLM drops what
        is beyond.
        """
        set_window(output, self._window)
        for request_id in output.num_scheduled_tokens:
            request = self.requests[request_id]
            request.num_computed_tokens += self._window - 1
            request.num_output_placeholders += self._window - 1
            if request.num_output_tokens + request.num_output_placeholders >= request.max_tokens:
                request.next_decode_eligible_step = self.current_step + _STEPS_UNTIL_KNOWN

    @override
    def update_from_output(
        self, scheduler_output: SchedulerOutput, model_runner_output: ModelRunnerOutput
    ) -> dict[int, EngineCoreOutputs]:
        outputs = super().update_from_output(scheduler_output, model_runner_output)
        for of_client in outputs.values():
            of_client.outputs = self._pieces.take_due(of_client.outputs)
        self._pieces.forget_all_but(self.requests)
        return outputs

    @override
    def _try_schedule_encoder_inputs(
        self,
        request: Request,
        num_computed_tokens: int,
        num_new_tokens: int,
        budget: int,
        **kw: Any,
    ) -> tuple[Any, ...]:
        if num_computed_tokens >= request.num_prompt_tokens:
            return [], num_new_tokens, budget, *NO_ENCODER_INPUTS
        return super()._try_schedule_encoder_inputs(
            request, num_computed_tokens, num_new_tokens, budget, **kw
        )


def keeps_every_block(manager: KVCacheManager) -> bool:
    """Whether a request's blocks are its own until it ends: one kind of layer, each of which sees
    all tokens, and no prefixes kept for others."""
    groups = manager.kv_cache_config.kv_cache_groups
    return (
        not manager.enable_caching
        and len(groups) == 1
        and type(groups[0].kv_cache_spec) is FullAttentionSpec
        and groups[0].kv_cache_spec.sliding_window is None
    )


def allocate_slots(
    manager: KVCacheManager, request: Request, num_new_tokens: int, *args: Any, **kwargs: Any
) -> KVCacheBlocks | None:
    """The manager's own, but for the fifteen of sixteen tokens for which there is room."""
    (blocks,) = manager.coordinator.single_type_managers
    num_needed = (
        request.num_computed_tokens + num_new_tokens + kwargs.get("num_lookahead_tokens", 0)
    )
    room = len(blocks.req_to_blocks.get(request.request_id, ())) * blocks.block_size
    if num_new_tokens == 1 and num_needed <= room:
        return manager.empty_kv_cache_blocks
    return KVCacheManager.allocate_slots(manager, request, num_new_tokens, *args, **kwargs)
