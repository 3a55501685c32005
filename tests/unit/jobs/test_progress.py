"""Speed and time to the end, from what was seen of a task."""

from datetime import UTC, datetime, timedelta

import pytest

from folio.jobs.progress import Estimate, Sample, estimate, keep_recent, percent_done

START = datetime(2026, 1, 1, tzinfo=UTC)


def sample(seconds: float, pages_done: int) -> Sample:
    return Sample(START + timedelta(seconds=seconds), pages_done)


def test_nothing_is_known_before_the_first_page_is_done() -> None:
    assert estimate([], 10) == Estimate()
    assert estimate([sample(0, 0)], 10) == Estimate()
    assert estimate([sample(0, 0), sample(5, 0)], 10) == Estimate()


def test_the_rest_goes_as_fast_as_what_was_done() -> None:
    assert estimate([sample(0, 0), sample(4, 8)], 20) == Estimate(2.0, 6.0)


def test_only_the_last_half_minute_counts() -> None:
    slow_then_fast = [sample(0, 0), sample(100, 1), sample(115, 31), sample(130, 61)]
    assert estimate(slow_then_fast, 121) == Estimate(2.0, 30.0)


def test_a_task_that_stands_still_has_no_end_in_sight() -> None:
    assert estimate([sample(0, 0), sample(10, 5), sample(50, 5)], 10) == Estimate()


def test_a_finished_document_has_nothing_left() -> None:
    assert estimate([sample(0, 0), sample(5, 10)], 10).eta_seconds == 0


def test_samples_that_no_estimate_asks_for_are_dropped() -> None:
    samples = [sample(second, second) for second in range(1000)]
    kept = keep_recent(samples)
    assert len(kept) == 31
    assert estimate(kept, 2000) == estimate(samples, 2000)


@pytest.mark.parametrize(("done", "of", "percent"), [(7, 12, 58.3), (0, None, 0.0), (3, 3, 100.0)])
def test_percent_has_one_decimal(done: int, of: int | None, percent: float) -> None:
    assert percent_done(done, of) == percent
