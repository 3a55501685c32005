"""Windows of decode steps on a GPU: a page alone gets the tokens that it gets without them."""

import pytest

from folio.engine.vllm_arguments import SECOND_RUNNER
from folio.model.windows import DECODE_WINDOW
from folio.preprocessing.resolution import Mode
from tests.integration.model.checkpoints import published_config, write_config
from tests.integration.model.engine_runs import FULL_SIZE, Job, Page, run_engine
from tests.integration.model.pictures import write_pictures

pytestmark = pytest.mark.gpu

RULE = {"ngram_size": 3, "window_size": 90}
KINDS = [
    (Mode.GUNDAM, (1240, 1754), None),
    (Mode.SMALL, (900, 300), RULE),
    (Mode.BASE, (1024, 1024), RULE),
]
MAX_TOKENS = 70  # more than four blocks of the KV cache, and no multiple of a window


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    paths = write_pictures(folder, [size for _, size, _ in KINDS])
    return [Page(path, mode, rule) for path, (mode, _, rule) in zip(paths, KINDS, strict=True)]


def read_one_by_one(pages, num_steps, folder):
    """By vLLM's engine as the service sets it up. Alone: a batch's size changes rounding."""
    write_config(folder, published_config())
    arguments = FULL_SIZE | {
        "async_scheduling": True,
        "scheduler_cls": "folio.model.scheduling.PageScheduler",
        "worker_cls": "folio.model.worker.PageWorker",
        "additional_config": {DECODE_WINDOW: num_steps},
    }
    job = Job(
        model=str(folder),
        pages=pages,
        one_by_one_too=True,
        max_tokens=MAX_TOKENS,
        engine_args=arguments,
    )
    return [run.token_ids for run in run_engine(job, folder)[len(pages) :]]


def test_a_page_reads_the_same_in_windows(pages, tmp_path_factory, monkeypatch):
    monkeypatch.setenv(SECOND_RUNNER, "1")
    step_by_step = read_one_by_one(pages, 1, tmp_path_factory.mktemp("steps"))
    in_windows = read_one_by_one(pages, 8, tmp_path_factory.mktemp("windows"))
    assert in_windows == step_by_step
