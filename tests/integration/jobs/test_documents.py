"""A document's way from the queue to its ZIP, on Postgres and Redis and on embedded parts."""

from pathlib import Path

from folio.db import TaskStatus
from tests.integration.jobs.conftest import MakeHouse


async def test_a_document_goes_from_the_queue_to_its_zip(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_house()
    await house.start_service()
    house.start_worker()

    task_id = await house.submit(pdf_of_30)
    task = await house.wait_for_end(task_id)

    assert (task.status, task.num_pages, task.pages_done) == (TaskStatus.SUCCEEDED, 30, 30)
    assert sorted(call.page_number for call in house.calls("end")) == list(range(1, 31))
    assert_is_whole(await house.results(task_id), 30)


async def test_the_service_reads_documents_without_a_broker(
    make_embedded_house: MakeHouse, pdf_of_30: Path
) -> None:
    house = make_embedded_house()
    await house.start_service()

    task_id = await house.submit(pdf_of_30)
    task = await house.wait_for_end(task_id)

    assert (task.status, task.pages_done) == (TaskStatus.SUCCEEDED, 30)
    assert_is_whole(await house.results(task_id), 30)


async def test_two_workers_share_a_long_document(make_house: MakeHouse, pdf_of_30: Path) -> None:
    house = make_house(SECONDS_PER_TOKEN="0.02", MAX_PAGES_IN_FLIGHT="2")
    await house.start_service()
    house.start_worker()
    house.start_worker()
    await house.wait_for_workers()

    task_id = await house.submit(pdf_of_30)
    await house.wait_for_pages(task_id, 10)
    owners = {page.lease_owner for page in await house.pages(task_id)} - {None}
    task = await house.wait_for_end(task_id)

    assert len(owners) == 2
    assert task.status is TaskStatus.SUCCEEDED
    assert len(house.calls("begin")) == 30


async def test_a_short_document_does_not_wait_for_a_long_one(
    make_house: MakeHouse, pdf_of_60: Path, pdf_of_1: Path
) -> None:
    house = make_house(SECONDS_PER_TOKEN="0.1")  # 20 seconds for the long one
    await house.start_service()
    house.start_worker()
    long_one = await house.submit(pdf_of_60)
    await house.wait_for_pages(long_one, 1)

    await house.wait_for_end(await house.submit(pdf_of_1))

    assert (await house.task(long_one)).status is TaskStatus.RUNNING


async def test_a_task_whose_every_page_fails_has_failed_with_the_first_reason(
    make_embedded_house: MakeHouse, pdf_of_1: Path
) -> None:
    house = make_embedded_house()
    await house.start_service()

    task_id = await house.submit(pdf_of_1, options={"task": "locate", "query": "REFUSE"})
    task = await house.wait_for_end(task_id)

    assert task.status is TaskStatus.FAILED
    assert (task.error_code, task.error_page_number) == ("all_pages_failed", 1)
    assert task.error_message == "The engine refuses this request."


def assert_is_whole(contents: dict[str, object], num_pages: int) -> None:
    markdown = contents["document.md"]
    assert isinstance(markdown, bytes)
    assert markdown.count(b"<!-- page ") == num_pages
    assert len([name for name in contents if name.startswith("pages/")]) == num_pages
