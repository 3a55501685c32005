"""Documents from end to end: the real engine with the small model, Postgres, Redis, a worker."""

import io
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pymupdf
import pytest

from tests.programs import Program, wait_until
from tests.service import Service

pytestmark = [pytest.mark.engine, pytest.mark.alone]

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example.pdf"
HEADINGS = ("Opening hours", "How to borrow")


@pytest.fixture(scope="module")
def worker(
    service: Service, service_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """`folio worker`, as an operator starts it."""
    worker = Program(
        [Path(sys.executable).with_name("folio"), "worker"],
        log_path=tmp_path_factory.mktemp("worker") / "worker.log",
        environment=service_settings | {"WORKER_REMOTE_INFER_URL": service.url},
    )
    worker.start()
    yield worker
    assert worker.stop() == 0, worker.log()


def submit(client: httpx.Client, data: bytes, **fields: str) -> str:
    answer = client.post("/api/ocr/pdf", files={"pdf": ("example.pdf", data)}, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def get_task(client: httpx.Client, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = client.get(f"/api/tasks/{task_id}").json()
    return task


def test_a_document_is_read_from_its_upload_to_its_zip(
    client: httpx.Client, worker: Program
) -> None:
    task_id = submit(client, EXAMPLE.read_bytes())
    wait_until(
        lambda: get_task(client, task_id)["status"] not in ("queued", "running"), seconds=120
    )

    task = get_task(client, task_id)
    assert task["status"] == "succeeded", worker.log()
    with zipfile.ZipFile(io.BytesIO(client.get(task["result"]["zip_url"]).content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        markdown = archive.read("document.md").decode()
    assert names >= {"document.md", "document.json", "pages/page-0001.jpg", "pages/page-0002.jpg"}
    pages = markdown.split("<!-- page ")[1:]
    for number, (page, heading) in enumerate(zip(pages, HEADINGS, strict=True), start=1):
        assert page.startswith(f"{number} -->")
        assert heading in page


def test_a_document_that_is_canceled_leaves_the_engine_within_two_seconds(
    service: Service, client: httpx.Client, worker: Program
) -> None:
    task_id = submit(client, long_document())
    wait_until(lambda: service.health().json()["requests_in_progress"] > 0, seconds=60)

    canceled_at = time.monotonic()
    assert client.delete(f"/api/tasks/{task_id}").json()["status"] == "canceled"
    wait_until(lambda: service.health().json()["requests_in_progress"] == 0, seconds=2)

    while time.monotonic() < canceled_at + 4:  # no page that was on its way is begun either
        assert service.health().json()["requests_in_progress"] == 0, worker.log()


def long_document() -> bytes:
    """50 pages, each of which takes seconds to read."""
    document = pymupdf.open()
    for number in range(1, 51):
        page = document.new_page()
        lines = [f"Line {line} of page {number} says something" for line in range(40)]
        page.insert_text((60, 60), lines, fontsize=12)
    return bytes(document.tobytes())
