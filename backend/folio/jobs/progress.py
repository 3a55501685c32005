"""How fast a task goes and when it will end, by what was seen of it. Pure: the time is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=30)


@dataclass(frozen=True)
class Sample:
    """So many pages had an outcome at this instant."""

    at: datetime
    pages_done: int


@dataclass(frozen=True)
class Estimate:
    """None where nothing is known yet: no page is done, or none was lately."""

    pages_per_second: float | None = None
    eta_seconds: float | None = None


def estimate(samples: Sequence[Sample], num_pages: int | None) -> Estimate:
    """The speed over the last WINDOW, or over all that was seen where that is less.

    samples: in the order of time; the last one is now.
    """
    if not samples:
        return Estimate()
    now = samples[-1]
    base = _base(samples)
    seconds = (now.at - base.at).total_seconds()
    pages = now.pages_done - base.pages_done
    if seconds <= 0 or pages <= 0:
        return Estimate()
    pages_per_second = pages / seconds
    if num_pages is None:
        return Estimate(pages_per_second)
    return Estimate(pages_per_second, max(0, num_pages - now.pages_done) / pages_per_second)


def keep_recent(samples: Sequence[Sample]) -> list[Sample]:
    """Without those that no later estimate asks for."""
    base = _base(samples)
    return [sample for sample in samples if sample.at >= base.at]


def percent_done(pages_done: int, num_pages: int | None) -> float:
    """0 to 100, one decimal; 0 before the document was opened."""
    return round(100 * pages_done / num_pages, 1) if num_pages else 0.0


def _base(samples: Sequence[Sample]) -> Sample:
    """The newest sample that is at least a window old, or the first one."""
    begin = samples[-1].at - WINDOW
    return next((each for each in reversed(samples) if each.at <= begin), samples[0])
