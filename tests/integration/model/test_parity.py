"""The same random weights in vLLM's own implementation and in ours: full-size tower, small decoder.

Two pages in gundam, the only mode that vLLM's own code knows: one without crops, one with two.
"""

import shutil

import pytest

from tests.integration.model.checkpoints import SMALL_DECODER, config_with, write_checkpoint
from tests.integration.model.engine_runs import Job, Page, run_engine
from tests.integration.model.pictures import write_pictures

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SIZES = [(640, 480), (600, 1100)]
NUM_IMAGE_TOKENS = [273, 493]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(vLLM's own, ours) for each page."""
    model = tmp_path_factory.mktemp("full-size-tower")
    write_checkpoint(model, config_with(decoder=SMALL_DECODER))
    pages = [Page(path, "gundam") for path in write_pictures(model, SIZES)]
    results = [
        run_engine(
            Job(model=str(model), pages=pages, vllms_own=vllms_own),
            tmp_path_factory.mktemp("runs"),
        )
        for vllms_own in (True, False)
    ]
    shutil.rmtree(model)  # most of a gigabyte
    return list(zip(*results, strict=True))


@pytest.mark.parametrize("page", range(len(SIZES)))
def test_tower_gives_the_same_image_tokens(runs, page):
    own, ours = (run.embeddings for run in runs[page])
    assert ours.shape == own.shape == (NUM_IMAGE_TOKENS[page], SMALL_DECODER["hidden_size"])
    assert (ours - own).norm() / own.norm() < 1e-3


@pytest.mark.parametrize("page", range(len(SIZES)))
def test_greedy_tokens_are_the_same(runs, page):
    own, ours = (run.token_ids for run in runs[page])
    assert ours == own
    assert len(set(own)) > 1


@pytest.mark.parametrize("page", range(len(SIZES)))
def test_probabilities_are_the_same(runs, page):
    own, ours = (run.logprobs for run in runs[page])
    for own_step, our_step in zip(own, ours, strict=True):
        assert our_step == pytest.approx(own_step, abs=1e-3)


@pytest.mark.parametrize("page", range(len(SIZES)))
def test_prompt_tokens_are_the_same(runs, page):
    own, ours = (run.prompt_token_ids for run in runs[page])
    assert ours == own
