"""The small model in a real engine: pages of every mode, with and without a rule, in one batch."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from folio.model.windows import DECODE_WINDOW
from tests.integration.model.engine_runs import Job, Page, run_engine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

NANO = Path(__file__).parents[3] / "models" / "nano"
LINES = ("The quick brown fox", "jumps over the lazy dog", "No. 4711")
REPEATING_LINES = ("day by day by day by day",) * 4
CAREFUL_MODES = ("base", "gundam")
AS_ON_A_GPU = {
    "scheduler_cls": "folio.model.scheduling.PageScheduler",
    "worker_cls": "tests.integration.model.cpu_worker.WindowedCPUWorker",
    "async_scheduling": True,
    "additional_config": {DECODE_WINDOW: 4},
}
RULE = {"ngram_size": 4, "window_size": 90}
# (mode, size, lines, rule, whether the page itself goes to the model, to be resized there)
KINDS = [
    ("small", (640, 640), LINES, None, False),
    ("gundam", (700, 1280), LINES, None, False),
    ("small", (640, 640), REPEATING_LINES, RULE, False),
    ("tiny", (500, 500), LINES, None, True),
    ("small", (640, 640), REPEATING_LINES, None, False),
    ("base", (800, 600), LINES, None, True),
    ("gundam", (700, 1280), LINES, None, True),
]


def print_lines(path, size, lines):
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((30, 30 + 50 * number), line, fill="black", font=ImageFont.load_default(30))
    page.save(path)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    pages = []
    for number, (mode, size, lines, rule, as_it_is) in enumerate(KINDS):
        path = folder / f"{number}.png"
        print_lines(path, size, lines)
        pages.append(Page(str(path), mode, rule, as_it_is))
    return pages


@pytest.fixture(scope="module")
def runs(pages, tmp_path_factory):
    """(together, alone) for each page."""
    job = Job(model=str(NANO), pages=pages, one_by_one_too=True, max_tokens=66)
    results = run_engine(job, tmp_path_factory.mktemp("runs"))
    return list(zip(results[: len(pages)], results[len(pages) :], strict=True))


def repeated_ngrams(token_ids, size):
    ngrams = [tuple(token_ids[i : i + size]) for i in range(len(token_ids) - size + 1)]
    return len(ngrams) - len(set(ngrams))


@pytest.mark.parametrize("page", range(len(KINDS)))
def test_a_page_reads_the_same_in_a_batch_of_other_modes_as_alone(runs, page):
    together, alone = runs[page]
    assert together.text == alone.text
    assert together.token_ids == alone.token_ids


def letters(text):
    return "".join(text.split())


@pytest.mark.parametrize("page", [n for n, (mode, *_) in enumerate(KINDS) if mode in CAREFUL_MODES])
def test_printed_lines_are_read(runs, page):
    assert letters(runs[page][0].text) == letters("".join(LINES))


def test_the_rule_keeps_its_request_from_repeating_itself(runs):
    assert repeated_ngrams(runs[2][0].token_ids, RULE["ngram_size"]) == 0


def test_the_rule_of_one_request_leaves_the_others_alone(runs):
    assert letters(runs[4][0].text).startswith(letters("".join(REPEATING_LINES[:2])))
    assert repeated_ngrams(runs[4][0].token_ids, RULE["ngram_size"]) > 0


def test_a_page_resized_by_the_model_reads_as_one_resized_before(runs):
    assert runs[6][0].text == runs[1][0].text


def test_our_scheduler_and_worker_change_no_page(runs, pages, tmp_path):
    """Windows of steps are prepared while the one before runs. Fifty tokens cross KV blocks."""
    job = Job(model=str(NANO), pages=pages, max_tokens=66, engine_args=AS_ON_A_GPU)
    token_ids = [run.token_ids for run in run_engine(job, tmp_path)]
    assert token_ids == [together.token_ids for together, _ in runs]
