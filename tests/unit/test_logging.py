"""The log as JSON: one object a line, with the ids of what is being worked on."""

import asyncio
import json
import logging
import sys

import pytest

from folio.logging import JsonFormatter
from folio.telemetry.context import current_ids, working_on


def event_of(message: str, *arguments: object, is_error: bool = False) -> dict[str, object]:
    exc_info = sys.exc_info() if is_error else None
    record = logging.LogRecord(
        "folio.jobs", logging.INFO, __file__, 1, message, arguments, exc_info
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    event: dict[str, object] = json.loads(line)
    return event


def test_an_event_has_its_time_level_logger_and_message() -> None:
    event = event_of("Task %s\nis „done“", 5)
    assert (event["level"], event["logger"]) == ("INFO", "folio.jobs")
    assert event["message"] == "Task 5\nis „done“"
    assert str(event["time"]).endswith("+00:00")


def test_an_exception_stays_on_the_line() -> None:
    try:
        raise ValueError("of many\nlines")
    except ValueError:
        event = event_of("failed", is_error=True)
    assert "ValueError: of many\nlines" in str(event["exception"])


def test_ids_are_told_inside_and_forgotten_outside() -> None:
    with working_on(task_id="t"), working_on(page_number=3):
        event = event_of("reading")
    assert (event["task_id"], event["page_number"]) == ("t", 3)
    assert "task_id" not in event_of("idle")


async def test_ids_follow_the_work_into_tasks_and_threads() -> None:
    async def look() -> dict[str, object]:
        return dict(await asyncio.to_thread(current_ids))

    with working_on(request_id="r"):
        work = asyncio.create_task(look())
    assert await work == {"request_id": "r"}


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_ids_are_forgotten_after_an_error(error: type[BaseException]) -> None:
    with pytest.raises(error), working_on(task_id="t"):
        raise error
    assert current_ids() == {}
