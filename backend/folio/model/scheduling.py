"""vLLM's scheduler with two short cuts for requests that are only being written.

Of two hundred pages in a step nearly all are. vLLM asks for each of them, at each step, whether
its image is to be encoded and whether it needs another block of the KV cache: with a card that
takes six milliseconds for the step, a third of that again on the host.
"""

from functools import partial
from typing import Any

from typing_extensions import override
from vllm.v1.core.kv_cache_manager import KVCacheBlocks, KVCacheManager
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec
from vllm.v1.request import Request

from folio.model.compat import NO_ENCODER_INPUTS


class PageScheduler(AsyncScheduler):
    """For one image in each prompt, and nothing between requests that is shared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        manager = self.kv_cache_manager
        if keeps_every_block(manager):
            self.kv_cache_manager.allocate_slots = partial(allocate_slots, manager)  # type: ignore[method-assign]

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
