"""Image requests as tasks: stored together, each for itself, on Postgres and SQLite."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from folio.db import Database, PageOutcome, PageRepository, PageStatus, TaskError, TaskStatus
from folio.errors import StorageUnavailableError
from folio.jobs import image_records
from folio.jobs.image_records import ImageRecord, ImageRecorder
from tests.integration.db.rows import NOW, get_task, seconds

READ = PageOutcome(PageStatus.OK, NOW, seconds(2), text="Invoice", mode="small", width=9, height=7)
UNREADABLE = PageOutcome(PageStatus.FAILED, NOW, seconds(2), reason="cut", reason_code="no_image")
NO_IMAGE = TaskError("no_image", "cut", 1)


def record(
    status: TaskStatus = TaskStatus.SUCCEEDED,
    page: PageOutcome | None = READ,
    *,
    filename: str = "page.png",
    error: TaskError | None = None,
    options: Any = None,
) -> ImageRecord:
    return ImageRecord(
        task_id=uuid.uuid4(),
        filename=filename,
        options={"mode": "auto"} if options is None else options,
        queued_at=NOW,
        started_at=seconds(1),
        finished_at=seconds(2.5),
        status=status,
        page=page,
        error=error,
    )


class Transactions:
    """Counts what is stored together, and fails as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.error: Exception | None = None
        self._store = image_records.store_image_records
        monkeypatch.setattr(image_records, "store_image_records", self)

    async def __call__(self, database: Database, records: Sequence[ImageRecord]) -> None:
        self.sizes.append(len(records))
        if self.error is not None:
            raise self.error
        await self._store(database, records)


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> Transactions:
    return Transactions(monkeypatch)


async def stored_page(database: Database, task_id: UUID) -> tuple[PageStatus, str | None]:
    async with database.reading() as session:
        page = await PageRepository(session).get(task_id, 1)
    assert page is not None
    return page.status, page.text


async def test_a_request_is_a_task_that_has_ended_with_its_page(database: Database) -> None:
    recorder = ImageRecorder(database)
    read = record()
    failed = record(TaskStatus.FAILED, UNREADABLE, error=NO_IMAGE)
    left = record(TaskStatus.CANCELED, None)
    for each in (read, failed, left):
        recorder.record(each)
    await recorder.wait_for_all()

    task = await get_task(database, read.task_id)
    assert (task.status, task.num_pages, task.pages_done, task.pages_failed) == (
        TaskStatus.SUCCEEDED,
        1,
        1,
        0,
    )
    assert (task.queued_at, task.started_at, task.finished_at) == (NOW, seconds(1), seconds(2.5))
    assert (task.duration_ms, task.filename, task.options) == (2500, "page.png", {"mode": "auto"})
    assert await stored_page(database, read.task_id) == (PageStatus.OK, "Invoice")

    task = await get_task(database, failed.task_id)
    assert (task.pages_done, task.pages_failed, task.error_code) == (1, 1, "no_image")

    task = await get_task(database, left.task_id)
    assert (task.status, task.num_pages, task.pages_done) == (TaskStatus.CANCELED, 1, 0)
    assert await stored_page(database, left.task_id) == (PageStatus.PENDING, None)


async def test_what_waits_is_stored_together(
    database: Database, transactions: Transactions
) -> None:
    recorder = ImageRecorder(database)
    records = [record() for _ in range(40)]
    for each in records:
        recorder.record(each)
    await recorder.wait_for(records[-1].task_id)

    assert transactions.sizes == [40]
    for each in records:
        assert (await get_task(database, each.task_id)).status is TaskStatus.SUCCEEDED


async def test_one_that_cannot_be_stored_takes_no_other_with_it(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = ImageRecorder(database)
    good, bad, other = record(), record(options={"mode": object()}), record()
    for each in (good, bad, other):
        recorder.record(each)
    with caplog.at_level(logging.ERROR):
        await recorder.wait_for_all()

    assert [each.getMessage() for each in caplog.records] == [
        f"Image request {bad.task_id} is not recorded"
    ]
    for each in (good, other):
        assert (await get_task(database, each.task_id)).status is TaskStatus.SUCCEEDED


async def test_a_database_that_is_away_is_one_line_in_the_log(
    database: Database, transactions: Transactions, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = ImageRecorder(database)
    transactions.error = StorageUnavailableError("away")
    for _ in range(3):
        recorder.record(record())
    await recorder.wait_for_all()
    assert [each.getMessage() for each in caplog.records] == [
        "3 image requests are not recorded: away"
    ]

    transactions.error = None
    later = record()
    recorder.record(later)
    await recorder.close()
    assert (await get_task(database, later.task_id)).status is TaskStatus.SUCCEEDED
