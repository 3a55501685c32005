"""The n-gram kernel bans what plain torch bans, which a test without a GPU holds to the rule."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.gpu

NUM_SLOTS, MAX_TOKENS, VOCABULARY = 256, 2000, 50
RULES = [
    None,
    {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [3, 4]},
    {"ngram_size": 2, "window_size": 400},
    {"ngram_size": 7, "window_size": 1000, "allowed_token_ids": list(range(40))},
]


def make_processor(device, token_ids, prompt_lengths, rules):
    from vllm import SamplingParams

    from folio.model.logits import DeviceNoRepeatNgram, parse_params

    states = SimpleNamespace(
        device=torch.device(device),
        max_num_reqs=NUM_SLOTS,
        all_token_ids=SimpleNamespace(gpu=token_ids.to(device)),
        prompt_len=SimpleNamespace(gpu=prompt_lengths.to(device)),
    )
    processor = DeviceNoRepeatNgram(states)
    for slot, rule in enumerate(rules):
        params = SamplingParams(extra_args={"no_repeat_ngram": rule} if rule else None)
        processor.add_request(slot, parse_params(params))
    return processor


def banned(device, processor, slots, newest):
    rows = SimpleNamespace(
        idx_mapping_np=slots,
        expanded_idx_mapping=torch.tensor(slots, dtype=torch.int32, device=device),
        pos=torch.tensor(newest, device=device),
    )
    logits = torch.zeros(len(slots), VOCABULARY, dtype=torch.bfloat16, device=device)
    processor.apply(logits, rows)
    return logits.cpu()


@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_bans_what_plain_torch_bans(seed):
    rng = np.random.default_rng(seed)
    period = rng.integers(1, 40, NUM_SLOTS)
    places = np.arange(MAX_TOKENS)
    token_ids = torch.tensor(
        (places[None] % period[:, None] * 7 + rng.integers(0, 3, (NUM_SLOTS, 1))) % VOCABULARY,
        dtype=torch.int32,
    )
    prompt_lengths = torch.tensor(rng.integers(1, 900, NUM_SLOTS), dtype=torch.int32)
    rules = [RULES[number] for number in rng.integers(0, len(RULES), NUM_SLOTS)]
    slots = rng.permutation(NUM_SLOTS)[:200].astype(np.int32)
    newest = prompt_lengths.numpy()[slots] + rng.integers(-1, 900, len(slots))
    on_host, on_device = (
        banned(device, make_processor(device, token_ids, prompt_lengths, rules), slots, newest)
        for device in ("cpu", "cuda")
    )
    assert on_host.isinf().sum() > 100
    assert torch.equal(on_host, on_device)
