"""The banned tokens, host and device form, against the rule written down naively."""

import numpy as np
import pytest
import torch

from folio.model.ngram import NO_TOKEN, NoRepeatNgramParams, TokenRing, ban_repeats

VOCABULARY = 8


def banned_by_the_rule(output, params):
    size, window = params.ngram_size, params.window_size
    if len(output) < size:
        return set()
    prefix = output[len(output) - size + 1 :]
    starts = range(max(0, len(output) - window), len(output) - size + 1)
    repeats = {output[s + size - 1] for s in starts if output[s : s + size - 1] == prefix}
    return repeats - set(params.allowed_token_ids)


def random_params(rng):
    size = int(rng.integers(2, 12))
    window = int(rng.integers(size, 40))
    allowed = tuple(int(t) for t in rng.choice(VOCABULARY, rng.integers(0, 3), replace=False))
    return NoRepeatNgramParams(size, window, allowed)


def random_output(rng, length):
    """Few words, often repeated, so that long n-grams do come back."""
    period = int(rng.integers(1, 9))
    output = [int(t) for t in rng.integers(0, VOCABULARY, period)]
    while len(output) < length:
        follow = rng.random() < 0.95
        output.append(output[-period] if follow else int(rng.integers(0, VOCABULARY)))
    return output[:length]


def banned_by_the_ring(ring, rows):
    index, token_ids = ring.find_banned(np.array(rows))
    return [
        {int(t) for i, t in zip(index, token_ids, strict=True) if i == n} for n in range(len(rows))
    ]


def banned_on_device(outputs, params):
    width = max(p.ngram_size for p in params) - 1 + max(p.window_size for p in params)
    history = torch.full((len(outputs), width), NO_TOKEN)
    for row, output in enumerate(outputs):
        newest = output[-width:]
        history[row, width - len(newest) :] = torch.tensor(newest, dtype=torch.long)
    allowed = torch.full((len(outputs), 3), NO_TOKEN)
    for row, p in enumerate(params):
        allowed[row, : len(p.allowed_token_ids)] = torch.tensor(p.allowed_token_ids)
    logits = torch.zeros(len(outputs), VOCABULARY)
    ban_repeats(
        logits,
        history,
        torch.tensor([len(output) for output in outputs]),
        torch.tensor([p.ngram_size for p in params]),
        torch.tensor([p.window_size for p in params]),
        allowed,
        longest_prefix=max(p.ngram_size for p in params) - 1,
    )
    return [set(torch.nonzero(row == -torch.inf).flatten().tolist()) for row in logits]


@pytest.mark.parametrize("seed", range(20))
def test_ring_bans_what_the_rule_bans_at_every_step(seed):
    rng = np.random.default_rng(seed)
    params = [random_params(rng) for _ in range(6)]
    outputs = [random_output(rng, 120) for _ in params]
    ring = TokenRing(num_rows=8, capacity=max(p.window_size for p in params))
    rows = [5, 0, 7, 2, 3, 1]
    for row, p in zip(rows, params, strict=True):
        ring.start(row, p)
    for step in range(120):
        ring.append(rows, [output[step] for output in outputs])
        expected = [
            banned_by_the_rule(output[: step + 1], p)
            for output, p in zip(outputs, params, strict=True)
        ]
        assert banned_by_the_ring(ring, rows) == expected


@pytest.mark.parametrize("seed", range(20))
def test_refilled_ring_bans_the_same(seed):
    rng = np.random.default_rng(seed)
    params = random_params(rng)
    output = random_output(rng, int(rng.integers(0, 100)))
    ring = TokenRing(num_rows=1, capacity=40)
    ring.start(0, params, output)
    assert banned_by_the_ring(ring, [0]) == [banned_by_the_rule(output, params)]


@pytest.mark.parametrize("seed", range(40))
def test_device_form_bans_what_the_rule_bans(seed):
    rng = np.random.default_rng(seed)
    params = [random_params(rng) for _ in range(8)]
    outputs = [random_output(rng, int(rng.integers(0, 100))) for _ in params]
    expected = [banned_by_the_rule(o, p) for o, p in zip(outputs, params, strict=True)]
    assert banned_on_device(outputs, params) == expected


def test_repeats_do_occur_in_these_tests():
    rng = np.random.default_rng(0)
    outputs = [random_output(rng, 100) for _ in range(50)]
    assert sum(bool(banned_by_the_rule(o, random_params(rng))) for o in outputs) > 20


def test_row_without_a_rule_is_left_alone():
    logits = torch.zeros(1, VOCABULARY)
    history = torch.ones(1, 20, dtype=torch.long)
    zero = torch.zeros(1, dtype=torch.long)
    allowed = torch.full((1, 1), NO_TOKEN)
    ban_repeats(logits, history, zero + 20, zero, zero, allowed, longest_prefix=2)
    assert not logits.isinf().any()


@pytest.mark.parametrize(
    "values",
    [
        [],
        30,
        {"ngram_size": 30},
        {"ngram_size": 1, "window_size": 90},
        {"ngram_size": 30, "window_size": 29},
        {"ngram_size": 30.0, "window_size": 90},
        {"ngram_size": True, "window_size": 90},
        {"ngram_size": "30", "window_size": 90},
        {"ngram_size": 30, "window_size": 10**9},
        {"ngram_size": 30, "window_size": 90, "allowed_token_ids": "12"},
        {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [-1]},
        {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [1.5]},
        {"ngram_size": 30, "window_size": 90, "allowed_token_ids": list(range(100))},
        {"ngram_size": 30, "window_size": 90, "whitelist": []},
    ],
)
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match=r"no_repeat_ngram|ngram_size|window_size|allowed"):
        NoRepeatNgramParams.from_mapping(values)


def test_good_values_are_taken():
    values = {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [7, 9]}
    assert NoRepeatNgramParams.from_mapping(values) == NoRepeatNgramParams(30, 90, (7, 9))
