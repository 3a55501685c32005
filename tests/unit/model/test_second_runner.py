"""What the model does for vLLM's second runner where that runner takes no logits processors."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from folio.preprocessing.resolution import Mode, resolve

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning:vllm")]

PROMPT = [9, 9, 9]
RULE = {"ngram_size": 3, "window_size": 12}


@pytest.fixture(scope="module")
def second_runner():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from folio.model import second_runner
    return second_runner


class Sampler:
    """vLLM's, as far as it is asked here: the likeliest token of each row."""

    def __init__(self, output):
        tokens = torch.tensor([[*PROMPT, *output, 0]], dtype=torch.int32)
        self.req_states = SimpleNamespace(
            device=torch.device("cpu"),
            max_num_reqs=1,
            all_token_ids=SimpleNamespace(gpu=tokens),
            prompt_len=SimpleNamespace(gpu=torch.tensor([len(PROMPT)], dtype=torch.int32)),
        )
        self.added = []

    def add_request(self, slot, prompt_len, sampling_params):
        self.added.append((slot, prompt_len))

    def __call__(self, logits, input_batch):
        return logits.argmax(-1).tolist()


def sampled(second_runner, output, rule):
    from vllm import SamplingParams

    sampler = Sampler(output)
    ruled = second_runner.RuledSampler(sampler)
    extra_args = {"no_repeat_ngram": rule} if rule else None
    ruled.add_request(0, len(PROMPT), SamplingParams(extra_args=extra_args))
    assert ruled.added == [(0, len(PROMPT))]  # and whatever else vLLM asks of its sampler
    newest = len(PROMPT) + len(output) - 1
    batch = SimpleNamespace(
        idx_mapping_np=np.array([0]),
        expanded_idx_mapping=torch.tensor([0], dtype=torch.int32),
        positions=torch.tensor([7, 7, newest]),
        logits_indices=torch.tensor([2]),
    )
    return ruled(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), batch)


def test_the_sampler_does_not_see_what_the_rule_bans(second_runner):
    assert sampled(second_runner, [1, 2, 3, 1, 2], None) == [3]
    assert sampled(second_runner, [1, 2, 3, 1, 2], RULE) == [2]


def test_the_profile_run_reads_as_many_pages_as_a_step_may_hold(second_runner, monkeypatch):
    monkeypatch.setattr(
        second_runner.DefaultModelState,
        "dummy_inputs_embeds",
        lambda _, num_tokens: torch.zeros(num_tokens, 4),
    )
    crops = 6
    largest = resolve(Mode.GUNDAM, 640, 640 * crops, max_crops=crops)
    steps = []
    state = object.__new__(second_runner.DeepseekOCRModelState)
    state.model = SimpleNamespace(embed_multimodal=lambda **kwargs: steps.append(kwargs))
    state.model_config = SimpleNamespace(
        multimodal_config=SimpleNamespace(mm_processor_kwargs={"max_crops": crops})
    )
    state.scheduler_config = SimpleNamespace(
        max_num_encoder_input_tokens=10 * largest.num_image_tokens + 5
    )
    state.max_num_reqs = 256
    for _ in range(2):  # the second time nothing is measured
        assert state.dummy_inputs_embeds(8).shape == (8, 4)
    (step,) = steps
    assert len(step["pixels"]) == len(step["geometry"]) == 10
    assert step["geometry"][0, 2:].tolist() == [1, crops]
