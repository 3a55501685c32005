"""No-repeat n-gram as a logits processor, per request, for both of vLLM's model runners.

A request asks for it in `SamplingParams.extra_args`:
    {"no_repeat_ngram": {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [..]}}
The engine gets it by `engine.vllm_arguments.logits_processors`. Source of the rule: the published
DeepSeek-OCR; n-grams are looked for in the output only.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from folio.model.compat import V2LogitsProcessor
from folio.model.ngram import (
    NO_TOKEN,
    DeviceRules,
    Ints,
    NoRepeatNgramParams,
    TokenRing,
    ban_repeats,
    with_allowed_tokens,
)
from folio.model.transfer import upload

EXTRA_ARG = "no_repeat_ngram"


def parse_params(sampling_params: SamplingParams) -> NoRepeatNgramParams | None:
    """The request's rule, None without one. Raises ValueError."""
    values = (sampling_params.extra_args or {}).get(EXTRA_ARG)
    return None if values is None else NoRepeatNgramParams.from_mapping(values)


@dataclass
class TrackedRequest:
    """A request with a rule: its row in the ring, and its output, a list that vLLM goes on with."""

    row: int
    params: NoRepeatNgramParams
    output: list[int]


@dataclass(frozen=True)
class Batch:
    """The requests with a rule as the steps need them: index in the batch, row in the ring."""

    indices: Ints
    rows: Ints
    outputs: list[list[int]]

    @classmethod
    def of(cls, requests: dict[int, TrackedRequest]) -> Self:
        return cls(
            np.array(list(requests), dtype=np.int64),
            np.array([request.row for request in requests.values()], dtype=np.int64),
            [request.output for request in requests.values()],
        )


class HostNoRepeatNgram:
    """For the first model runner: the output tokens are lists on the host."""

    def __init__(self, max_num_requests: int) -> None:
        self.max_num_requests = max_num_requests
        self.ring = TokenRing(max_num_requests)
        self.free_rows = list(range(max_num_requests))
        self.requests: dict[int, TrackedRequest] = {}  # by index in the batch
        self.batch = Batch.of(self.requests)

    def update(self, batch_update: BatchUpdate) -> None:
        """Removed, added, moved, in this order; what is added or moved may replace."""
        for index in batch_update.removed:
            self.forget(index)
        for index, sampling_params, _, output in batch_update.added:
            self.forget(index)
            params = parse_params(sampling_params)
            if params is not None:
                self.track(index, params, output)
        for source, target, direction in batch_update.moved:
            self.move(source, target, swap=direction is MoveDirectionality.SWAP)
        self.batch = Batch.of(self.requests)

    def forget(self, index: int) -> None:
        request = self.requests.pop(index, None)
        if request is not None:
            self.free_rows.append(request.row)

    def track(self, index: int, params: NoRepeatNgramParams, output: list[int]) -> None:
        request = TrackedRequest(self.free_rows.pop(), params, output)
        self.requests[index] = request
        if params.window_size > self.ring.capacity:
            self.ring = TokenRing(self.max_num_requests, params.window_size)
            for other in self.requests.values():
                self.ring.start(other.row, other.params, known_tokens(other.output))
        else:
            self.ring.start(request.row, params, known_tokens(output))

    def move(self, source: int, target: int, *, swap: bool) -> None:
        moving = self.requests.pop(source, None)
        if swap and target in self.requests:
            self.requests[source] = self.requests.pop(target)
        self.forget(target)
        if moving is not None:
            self.requests[target] = moving

    def apply(self, logits: Tensor) -> None:
        """Set what the rules ban to minus infinity. logits: (requests, vocabulary)."""
        if not self.requests:
            return
        self.read_new_tokens()
        which, token_ids = self.ring.find_banned(self.batch.rows)
        if len(which):
            places = self.batch.indices[which] * logits.stride(0) + token_ids
            # One kernel: indexing by row and column costs the host a millisecond.
            flat = logits.as_strided(
                (logits.stride(0) * (len(logits) - 1) + logits.shape[1],), (1,)
            )
            flat.index_fill_(0, upload(torch.from_numpy(places), logits.device), -torch.inf)

    def read_new_tokens(self) -> None:
        """Take over what vLLM appended since the last step: one token, as a rule."""
        rows, outputs = self.batch.rows, self.batch.outputs
        lengths = np.array([len(output) for output in outputs])
        newest = np.array([output[-1] if output else NO_TOKEN for output in outputs])
        num_new = lengths - self.ring.lengths[rows]
        is_one = (num_new == 1) & (newest != NO_TOKEN)
        if is_one.any():
            self.ring.append(rows[is_one], newest[is_one])
        for place in np.flatnonzero((num_new != 0) & ~is_one):
            self.ring.refill(rows[place], known_tokens(outputs[place]))


def known_tokens(output: list[int]) -> list[int]:
    """The output without the placeholders at its end that asynchronous scheduling leaves there."""
    end = len(output)
    while end and output[end - 1] == NO_TOKEN:
        end -= 1
    return output[:end]


class DeviceNoRepeatNgram:
    """For the second model runner: the tokens are on the device and stay there."""

    def __init__(self, request_states: Any) -> None:
        self.states = request_states
        num_slots = request_states.max_num_reqs
        self.ngram_sizes = np.zeros(num_slots, dtype=np.int32)
        self.window_sizes = np.zeros(num_slots, dtype=np.int32)
        self.allowed = np.full((num_slots, 1), NO_TOKEN, dtype=np.int32)
        self.on_device: DeviceRules | None = None

    def add_request(self, slot: int, params: NoRepeatNgramParams | None) -> bool:
        """Slots are used again and again: everything of the last occupant is overwritten."""
        had_rule = self.ngram_sizes[slot] > 0
        if params is not None:
            self.set_rule(slot, params)
        elif had_rule:
            self.ngram_sizes[slot] = 0
        if params is not None or had_rule:
            self.on_device = None
        return params is not None

    def set_rule(self, slot: int, params: NoRepeatNgramParams) -> None:
        self.ngram_sizes[slot] = params.ngram_size
        self.window_sizes[slot] = params.window_size
        self.allowed = with_allowed_tokens(self.allowed, slot, params)

    def apply(self, logits: Tensor, context: Any) -> None:
        """Set what the rules ban to minus infinity. context: idx_mapping_np, expanded_idx_mapping
        and pos, as in vLLM's LogitsContext."""
        slots_on_host = context.idx_mapping_np
        longest_prefix = int(self.ngram_sizes[slots_on_host].max(initial=0)) - 1
        if longest_prefix < 1:
            return
        slots, newest = context.expanded_idx_mapping, context.pos
        widest_window = int(self.window_sizes[slots_on_host].max())
        if logits.is_cuda:
            # Triton is there only where there is a GPU.
            from folio.model.kernels.ngram import ban_repeats_on_cuda  # noqa: PLC0415

            tokens, prompts = self.states.all_token_ids.gpu, self.states.prompt_len.gpu
            ban_repeats_on_cuda(
                logits, slots, newest, tokens, prompts, self.rules(), widest_window=widest_window
            )
            return
        slots = slots.long()
        lengths = newest + 1 - self.states.prompt_len.gpu[slots]
        rules = self.rules()
        ban_repeats(
            logits,
            self.gather_history(slots, newest, lengths, longest_prefix + widest_window),
            lengths,
            rules.ngram_sizes[slots],
            rules.window_sizes[slots],
            rules.allowed[slots],
            longest_prefix=longest_prefix,
        )

    def rules(self) -> DeviceRules:
        """As they are on the device, uploaded when a request has changed them."""
        if self.on_device is None:
            values = self.ngram_sizes, self.window_sizes, self.allowed
            device = self.states.device
            self.on_device = DeviceRules(
                *(upload(torch.from_numpy(value.copy()), device) for value in values)
            )
        return self.on_device

    def gather_history(self, slots: Tensor, newest: Tensor, lengths: Tensor, width: int) -> Tensor:
        """The last `width` output tokens of each row, NO_TOKEN where there are fewer."""
        back = torch.arange(width - 1, -1, -1, device=slots.device)
        positions = (newest[:, None] - back).clamp(min=0).long()
        tokens = self.states.all_token_ids.gpu[slots[:, None], positions]
        return tokens.masked_fill(back >= lengths[:, None], NO_TOKEN)


class NoRepeatNgramLogitsProcessor(LogitsProcessor, V2LogitsProcessor):
    """What vLLM loads: one class that both model runners accept."""

    @classmethod
    @override
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        parse_params(sampling_params)

    def __init__(self, vllm_config: VllmConfig, *runner_args: Any) -> None:
        """The first runner gives (device, is_pin_memory), the second its request states."""
        self.host: HostNoRepeatNgram | None = None
        self.device: DeviceNoRepeatNgram | None = None
        if len(runner_args) == 1:
            self.device = DeviceNoRepeatNgram(runner_args[0])
        else:
            self.host = HostNoRepeatNgram(vllm_config.scheduler_config.max_num_seqs)

    @override
    def is_argmax_invariant(self) -> bool:
        return False

    @override
    def update_state(self, batch_update: BatchUpdate | None) -> None:
        if batch_update is not None and self.host is not None:
            self.host.update(batch_update)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        assert self.device is not None
        return self.device.add_request(req_idx, parse_params(sampling_params))

    @override
    def apply(self, logits: Tensor, ctx: Any = None) -> Tensor:
        if self.host is not None:
            self.host.apply(logits)
        elif self.device is not None:
            self.device.apply(logits, ctx)
        return logits
