"""The no-repeat n-gram rule in one launch: `ngram.ban_repeats` with the gathering before it."""

import triton
import triton.language as tl
from torch import Tensor

from folio.model.ngram import DeviceRules


@triton.jit
def _ban_repeats(
    logits,  # (rows, vocabulary) by its stride: bans are written
    slots,  # (rows,)
    newest,  # (rows,): where in its slot's tokens each row's newest token stands
    token_ids,  # (slots, tokens) by its stride: prompt and output
    prompt_lengths,  # (slots,)
    ngram_sizes,
    window_sizes,
    allowed,
    history,  # int32 (rows, width): scratch
    logits_stride,
    token_stride,
    num_allowed,
    width: tl.constexpr,
):
    """One row per program. Everything is counted back from the newest output token, which is 0."""
    row = tl.program_id(0).to(tl.int64)
    slot = tl.load(slots + row).to(tl.int64)
    ngram_size = tl.load(ngram_sizes + slot)
    if ngram_size > 0:
        last = tl.load(newest + row).to(tl.int64)
        length = (last + 1 - tl.load(prompt_lengths + slot)).to(tl.int32)
        back = tl.arange(0, width)
        is_output = back < length
        tokens = tl.load(token_ids + slot * token_stride + last - back, mask=is_output, other=-1)
        # vLLM keeps the tokens in the host's memory: they are fetched from there once.
        row_history = history + row * width
        tl.store(row_history + back, tokens)
        tl.debug_barrier()
        # The first token of the n-gram that would repeat lies within the window.
        is_banned = back + ngram_size <= tl.minimum(tl.load(window_sizes + slot), length)
        for distance in range(ngram_size - 1):
            same = tl.load(row_history + distance)
            before = tl.load(row_history + back + 1 + distance, mask=is_banned, other=-1)
            is_banned &= before == same
        for place in range(num_allowed):
            is_banned &= tokens != tl.load(allowed + slot * num_allowed + place)
        tl.store(logits + row * logits_stride + tokens, float("-inf"), mask=is_banned)


def ban_repeats_on_cuda(
    logits: Tensor,
    slots: Tensor,
    newest: Tensor,
    token_ids: Tensor,
    prompt_lengths: Tensor,
    rules: DeviceRules,
    *,
    widest_window: int,
) -> None:
    """Set the logits of banned tokens to minus infinity.

    logits: (rows, vocabulary), each row contiguous. slots, newest: (rows,), the row's request and
    the position of its newest token. token_ids: int32 (slots, tokens), prompt and output.
    prompt_lengths: (slots,). widest_window: of the rules of these rows.
    """
    width = triton.next_power_of_2(widest_window)
    history = token_ids.new_empty((logits.shape[0], width), device=logits.device)
    _ban_repeats[(logits.shape[0],)](
        logits,
        slots,
        newest,
        token_ids,
        prompt_lengths,
        *rules,
        history,
        logits.stride(0),
        token_ids.stride(0),
        rules.allowed.shape[1],
        width=width,
    )
