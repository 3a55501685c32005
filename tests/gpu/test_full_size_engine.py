"""The full-size model with random weights in an engine: every mode at once, and n-gram rules."""

import math

import pytest

from folio.preprocessing.resolution import Mode, resolve
from tests.integration.model.checkpoints import published_config, write_config
from tests.integration.model.engine_runs import FULL_SIZE, Job, Page, run_engine
from tests.integration.model.pictures import write_pictures

pytestmark = pytest.mark.gpu

RULE = {"ngram_size": 3, "window_size": 90, "allowed_token_ids": [128821, 128822]}
MAX_TOKENS = 100
KINDS = [
    *((mode, size, None) for mode in Mode for size in [(1240, 1754), (900, 300)]),
    (Mode.SMALL, (640, 400), RULE),
    (Mode.GUNDAM, (1754, 1240), {**RULE, "ngram_size": 5, "window_size": 50}),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    model = tmp_path_factory.mktemp("model")
    write_config(model, published_config())
    paths = write_pictures(model, [size for _, size, _ in KINDS])
    pages = [Page(path, mode, rule) for path, (mode, _, rule) in zip(paths, KINDS, strict=True)]
    job = Job(model=str(model), pages=pages, max_tokens=MAX_TOKENS, engine_args=FULL_SIZE)
    return run_engine(job, tmp_path_factory.mktemp("runs"))


def repeated_ngrams(token_ids, size, window):
    """How many tokens complete an n-gram that the window before them holds."""
    repeats = 0
    for end in range(size, len(token_ids)):
        ngram = token_ids[end - size + 1 : end + 1]
        earlier = token_ids[max(0, end - window) : end]
        starts = range(len(earlier) - size + 1)
        repeats += any(earlier[start : start + size] == ngram for start in starts)
    return repeats


@pytest.mark.parametrize("page", range(len(KINDS)))
def test_every_mode_is_served_in_one_batch(runs, page):
    mode, size, _ = KINDS[page]
    text = "\nFree OCR."
    assert len(runs[page].prompt_token_ids) == 1 + resolve(mode, *size).num_image_tokens + len(text)
    assert len(runs[page].token_ids) >= 1
    assert all(math.isfinite(p) for step in runs[page].logprobs for p in step.values())


@pytest.mark.parametrize("page", [n for n, (*_, rule) in enumerate(KINDS) if rule])
def test_rules_keep_their_requests_from_repeating_themselves(runs, page):
    rule = KINDS[page][2]
    repeats = repeated_ngrams(runs[page].token_ids, rule["ngram_size"], rule["window_size"])
    assert repeats == 0


def test_without_a_rule_random_weights_do_repeat_themselves(runs):
    token_ids = [run.token_ids for run, (*_, rule) in zip(runs, KINDS, strict=True) if not rule]
    assert any(repeated_ngrams(ids, 3, 90) for ids in token_ids)
