"""The logits processor under both model runners' conventions, without an engine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning:vllm")]

VOCABULARY = 8
MAX_REQUESTS = 6
RULE = {"ngram_size": 3, "window_size": 12, "allowed_token_ids": [0]}


@pytest.fixture(scope="module")
def vllm_api():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vllm import SamplingParams
        from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality

        from folio.model import logits
    return SimpleNamespace(
        SamplingParams=SamplingParams,
        BatchUpdate=BatchUpdate,
        UNIDIRECTIONAL=MoveDirectionality.UNIDIRECTIONAL,
        SWAP=MoveDirectionality.SWAP,
        Processor=logits.NoRepeatNgramLogitsProcessor,
    )


def sampling_params(vllm_api, rule):
    return vllm_api.SamplingParams(extra_args={"no_repeat_ngram": rule} if rule else None)


def banned_by_the_rule(output, rule):
    if not rule or len(output) < rule["ngram_size"]:
        return set()
    size = rule["ngram_size"]
    prefix = output[len(output) - size + 1 :]
    starts = range(max(0, len(output) - rule["window_size"]), len(output) - size + 1)
    repeats = {output[s + size - 1] for s in starts if output[s : s + size - 1] == prefix}
    return repeats - set(rule["allowed_token_ids"])


def banned(logits):
    return [set(torch.nonzero(row == -torch.inf).flatten().tolist()) for row in logits]


class FirstRunnerBatch:
    """The first runner's persistent batch: fills holes, then condenses from the end."""

    def __init__(self, vllm_api):
        config = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=MAX_REQUESTS))
        self.api = vllm_api
        self.processor = vllm_api.Processor(config, torch.device("cpu"), False)
        self.requests = []  # (rule, output)

    def step(self, removed, added, swap=None):
        """removed: indices. added: rules."""
        batch = dict(enumerate(self.requests))
        for index in removed:
            del batch[index]
        holes = sorted(removed)
        updates_added, moved = [], []
        for rule in added:
            index = holes.pop(0) if holes else len(batch)
            batch[index] = (rule, [])
            updates_added.append((index, sampling_params(self.api, rule), [], batch[index][1]))
        while holes and max(batch, default=-1) > holes[0]:
            last = max(batch)
            batch[holes[0]] = batch.pop(last)
            moved.append((last, holes.pop(0), self.api.UNIDIRECTIONAL))
        if swap and len(batch) > max(swap):
            first, second = swap
            batch[first], batch[second] = batch[second], batch[first]
            moved.append((first, second, self.api.SWAP))
        self.requests = [batch[index] for index in range(len(batch))]
        changed = removed or added or moved
        update = self.api.BatchUpdate(
            batch_size=len(batch), removed=holes[::-1], added=updates_added, moved=moved
        )
        self.processor.update_state(update if changed else None)

    def apply(self):
        return banned(self.processor.apply(torch.zeros(len(self.requests), VOCABULARY)))

    def expected(self):
        return [banned_by_the_rule(output, rule) for rule, output in self.requests]


@pytest.mark.parametrize("seed", range(10))
def test_first_runner_follows_requests_through_the_batch(vllm_api, seed):
    rng = np.random.default_rng(seed)
    batch = FirstRunnerBatch(vllm_api)
    for _ in range(80):
        size = len(batch.requests)
        removed = [index for index in range(size) if rng.random() < 0.05]
        room = MAX_REQUESTS - size + len(removed)
        rules = [None, RULE, {"ngram_size": 5, "window_size": 30, "allowed_token_ids": []}]
        added = [rules[rng.integers(0, 3)] for _ in range(rng.integers(0, room + 1))]
        swap = tuple(rng.choice(MAX_REQUESTS, 2, replace=False)) if rng.random() < 0.3 else None
        batch.step(removed, added, swap)
        if batch.requests:
            assert batch.apply() == batch.expected()
        for _, output in batch.requests:
            if rng.random() < 0.9:  # others are still in their prefill
                output.append(int(rng.integers(0, 3)))


def test_placeholders_of_asynchronous_scheduling_are_not_taken_for_tokens(vllm_api):
    batch = FirstRunnerBatch(vllm_api)
    batch.step([], [RULE])
    output = batch.requests[0][1]
    for token in [1, 2, 3, 1, -1]:
        output.append(token)
        batch.apply()
    output[-1] = 2
    assert batch.apply() == [{3}]


def test_request_resumed_after_preemption_keeps_its_history(vllm_api):
    batch = FirstRunnerBatch(vllm_api)
    output = [1, 2, 3, 1, 2]
    update = vllm_api.BatchUpdate(
        batch_size=1, removed=[], moved=[], added=[(0, sampling_params(vllm_api, RULE), [], output)]
    )
    batch.processor.update_state(update)
    assert banned(batch.processor.apply(torch.zeros(1, VOCABULARY))) == [{3}]


class SecondRunnerStates:
    """The second runner's request states, as far as a logits processor may see them."""

    def __init__(self, max_model_len=200):
        self.device = torch.device("cpu")
        self.max_num_reqs = MAX_REQUESTS
        self.all_token_ids = SimpleNamespace(
            gpu=torch.zeros(MAX_REQUESTS, max_model_len, dtype=torch.int32)
        )
        self.prompt_len = SimpleNamespace(gpu=torch.zeros(MAX_REQUESTS, dtype=torch.int32))


@pytest.mark.parametrize("seed", range(10))
def test_second_runner_reads_the_history_by_slot(vllm_api, seed):
    rng = np.random.default_rng(seed)
    states = SecondRunnerStates()
    processor = vllm_api.Processor(None, states)
    rules, outputs, prompt_lengths = {}, {}, {}
    for _ in range(60):
        slot = int(rng.integers(0, MAX_REQUESTS))
        rules[slot] = [None, RULE, {**RULE, "ngram_size": 6, "window_size": 40}][rng.integers(0, 3)]
        prompt_lengths[slot], outputs[slot] = int(rng.integers(1, 9)), []
        states.prompt_len.gpu[slot] = prompt_lengths[slot]
        states.all_token_ids.gpu[slot] = 1  # leftovers and a prompt that would repeat
        assert processor.add_request(slot, sampling_params(vllm_api, rules[slot])) == bool(
            rules[slot]
        )
        for _ in range(6):
            slots = rng.permutation(sorted(outputs))
            context = SimpleNamespace(
                idx_mapping_np=slots,
                expanded_idx_mapping=torch.tensor(slots, dtype=torch.int32),
                pos=torch.tensor([prompt_lengths[s] + len(outputs[s]) - 1 for s in slots]),
            )
            logits = processor.apply(torch.zeros(len(slots), VOCABULARY), context)
            assert banned(logits) == [banned_by_the_rule(outputs[s], rules[s]) for s in slots]
            for s in slots:
                token = int(rng.integers(0, 3))
                states.all_token_ids.gpu[s, prompt_lengths[s] + len(outputs[s])] = token
                outputs[s].append(token)


def test_bad_params_are_refused_before_they_reach_the_engine(vllm_api):
    with pytest.raises(ValueError, match="ngram_size"):
        vllm_api.Processor.validate_params(
            sampling_params(vllm_api, {"ngram_size": 0, "window_size": 90})
        )


def test_params_without_the_rule_are_fine(vllm_api):
    vllm_api.Processor.validate_params(vllm_api.SamplingParams())
