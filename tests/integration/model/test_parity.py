"""The same random weights in vLLM's own implementation and in ours: full-size tower, small decoder.

In float32 every number is the same but for the order of sums. In bfloat16 no two towers agree that
well: see `parity`. The GPU's tests ask the same there, of all modes.
"""

import shutil
from pathlib import Path

import pytest

from folio.preprocessing.resolution import Mode
from tests.integration.model.checkpoints import SMALL_DECODER, config_with, write_checkpoint
from tests.integration.model.engine_runs import Job, Page, run_engine
from tests.integration.model.parity import (
    assert_no_less_exact_than_vllms_own,
    exact_embeddings,
    relative,
)
from tests.integration.model.pictures import write_pictures

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

# In gundam a page without crops, and one with two. The first is what a page in base is, to both
# implementations (test_published_code holds that), so base is not run as well.
SIZES = [(640, 480), (600, 1100)]
KINDS = [(Mode.GUNDAM, 0), *((mode, 1) for mode in Mode if mode is not Mode.BASE)]
NUM_IMAGE_TOKENS = {
    (Mode.GUNDAM, 0): 273,
    (Mode.GUNDAM, 1): 493,
    (Mode.TINY, 1): 73,
    (Mode.SMALL, 1): 111,
    (Mode.LARGE, 1): 421,
}
IN_BFLOAT16 = [(Mode.TINY, 1), (Mode.SMALL, 1)]


def each(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: f"{kind[0]}-{kind[1]}")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    model = tmp_path_factory.mktemp("full-size-tower")
    write_checkpoint(model, config_with(decoder=SMALL_DECODER))
    write_pictures(model, SIZES)
    yield model
    shutil.rmtree(model)  # most of a gigabyte


def make_pages(model: Path, kinds, **page):
    return [Page(str(model / f"{picture}.png"), mode, **page) for mode, picture in kinds]


@pytest.fixture(scope="module")
def runs(model, tmp_path_factory):
    """By kind of page, (vLLM's own, ours) in float32."""
    pages = make_pages(model, KINDS)
    results = [
        run_engine(
            Job(model=str(model), pages=pages, vllms_own=vllms_own),
            tmp_path_factory.mktemp("runs"),
        )
        for vllms_own in (True, False)
    ]
    return dict(zip(KINDS, zip(*results, strict=True), strict=True))


@pytest.fixture(scope="module")
def exact(model):
    """By kind of page, the image tokens of our plain modules in float32, without an engine."""
    embeddings = exact_embeddings(model, make_pages(model, IN_BFLOAT16), "cpu")
    return dict(zip(IN_BFLOAT16, embeddings, strict=True))


@each(KINDS)
def test_tower_gives_the_same_image_tokens(runs, kind):
    own, ours = (run.embeddings for run in runs[kind])
    assert ours.shape == own.shape == (NUM_IMAGE_TOKENS[kind], SMALL_DECODER["hidden_size"])
    assert relative(ours, own) < 1e-3


@each(KINDS)
def test_greedy_tokens_are_the_same(runs, kind):
    own, ours = (run.token_ids for run in runs[kind])
    assert ours == own
    assert len(set(own)) > 1


@each(KINDS)
def test_probabilities_are_the_same(runs, kind):
    own, ours = (run.logprobs for run in runs[kind])
    for own_step, our_step in zip(own, ours, strict=True):
        assert our_step == pytest.approx(own_step, abs=1e-3)


@each(KINDS)
def test_prompt_tokens_are_the_same(runs, kind):
    own, ours = (run.prompt_token_ids for run in runs[kind])
    assert ours == own


@each(IN_BFLOAT16)
def test_plain_modules_alone_give_the_same_image_tokens(runs, exact, kind):
    own, _ = runs[kind]
    assert relative(exact[kind], own.embeddings) < 1e-3


@pytest.fixture(scope="module")
def bfloat16_runs(model, tmp_path_factory):
    """By kind of page, (vLLM's own, ours) in bfloat16; ours resizes the page as on a GPU."""
    both = [
        Job(
            model=str(model),
            pages=make_pages(model, IN_BFLOAT16, as_it_is=not vllms_own),
            vllms_own=vllms_own,
            max_tokens=1,
            engine_args={"dtype": "bfloat16"},
        )
        for vllms_own in (True, False)
    ]
    results = [run_engine(job, tmp_path_factory.mktemp("runs")) for job in both]
    return dict(zip(IN_BFLOAT16, zip(*results, strict=True), strict=True))


@each(IN_BFLOAT16)
def test_bfloat16_tower_is_no_less_exact_than_vllms_own(bfloat16_runs, exact, kind):
    own, ours = (run.embeddings for run in bfloat16_runs[kind])
    assert_no_less_exact_than_vllms_own(ours, own, exact[kind])
