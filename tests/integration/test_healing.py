"""The engine core killed and frozen, and the service told to end, each while pages are read."""

import asyncio
import concurrent.futures
import json
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from folio.engine.remote import RemoteEngine
from folio.pipeline.page import PageOptions, recognize_page
from tests.metrics import Samples
from tests.pages import TEXT, encode, print_page
from tests.programs import wait_until
from tests.service import Service, running_service
from tests.unit.documents_pdf.pdfs import write_pdf

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SILENCE_SECONDS = 10
RESTART_SECONDS = 240  # on a busy machine
NUM_PAGES = 6
TOKEN = "secret"

Pages = list[Future[httpx.Response]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(
        tmp_path_factory.mktemp("healing"),
        INTERNAL_API_TOKEN=TOKEN,
        ENGINE_SILENCE_SECONDS=str(SILENCE_SECONDS),
        REQUEST_TIMEOUT_SECONDS=str(2 * RESTART_SECONDS),
        LOG_FORMAT="json",
    ) as service:
        service.wait_for_status("healthy")
        yield service


@contextmanager
def reading(service: Service) -> Iterator[Pages]:
    """Pages on their way, all of them in the engine."""
    image = encode(print_page())
    with ThreadPoolExecutor(NUM_PAGES) as threads:
        pages = [threads.submit(post, service, image) for _ in range(NUM_PAGES)]
        wait_until(lambda: num_requests(service) == NUM_PAGES, seconds=30, pause_seconds=0.01)
        yield pages


def post(service: Service, image: bytes) -> httpx.Response:
    return httpx.post(
        f"{service.url}/api/ocr/image",
        files={"image": image},
        data={"mode": "small", "task": "free"},
        timeout=2 * RESTART_SECONDS,
    )


def num_requests(service: Service) -> int:
    return int(service.health().json()["requests_in_progress"])


def check_that_all_are_read(pages: Pages) -> None:
    for answer in concurrent.futures.as_completed(pages, timeout=RESTART_SECONDS):
        assert answer.result().status_code == 200, answer.result().text
        assert answer.result().json()["text"].splitlines() == list(TEXT)


def read_as_a_worker(service: Service) -> str:
    """A page through /internal/infer."""

    async def read() -> str:
        engine = RemoteEngine([service.url], TOKEN, wait_seconds=RESTART_SECONDS)
        try:
            page = await recognize_page(
                engine, np.asarray(print_page()), PageOptions(mode="small", task="free")
            )
        finally:
            await engine.stop()
        return page.text

    return asyncio.run(read())


def submit(service: Service, pdf: Path) -> str:
    with pdf.open("rb") as file:
        answer = httpx.post(f"{service.url}/api/ocr/pdf", files={"pdf": file}, timeout=60)
    return str(answer.raise_for_status().json()["task_id"])


def task(service: Service, task_id: str) -> dict:
    return httpx.get(f"{service.url}/api/tasks/{task_id}", timeout=60).raise_for_status().json()


def test_a_core_that_dies_before_it_has_answered_anything_loses_nothing(service: Service) -> None:
    """vLLM has questions to the core before its first request, and waits for the answers."""
    core = service.engine_core
    core.send_signal(signal.SIGSTOP)
    with reading(service) as pages:
        core.send_signal(signal.SIGKILL)
        check_that_all_are_read(pages)


def test_a_core_that_is_killed_under_load_loses_nothing(service: Service, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads, reading(service) as pages:
        task_id = submit(service, write_pdf(tmp_path / "document.pdf", 8))
        remote_page = threads.submit(read_as_a_worker, service)
        # The worker's page and one of the document at least.
        wait_until(lambda: num_requests(service) >= NUM_PAGES + 2, seconds=30, pause_seconds=0.01)
        service.engine_core.send_signal(signal.SIGKILL)
        answer = service.wait_for_status("unhealthy", timeout_seconds=10)
        assert "died" in answer["reason"]
        assert not answer["model_loaded"]
        refused = post(service, encode(print_page()))
        assert (refused.status_code, refused.json()["code"]) == (503, "engine_not_ready")
        check_that_all_are_read(pages)
        assert remote_page.result(timeout=RESTART_SECONDS).splitlines() == list(TEXT)
    assert service.health().status_code == 200
    wait_until(lambda: task(service, task_id)["status"] != "running", seconds=RESTART_SECONDS)
    document = httpx.get(f"{service.url}/api/tasks/{task_id}/result.json", timeout=60).json()
    assert [page["status"] for page in document["pages"]] == ["ok"] * 8


def test_the_loss_is_in_the_metrics_and_in_the_log(service: Service) -> None:
    """After the tests above, on the same service."""
    samples = Samples.parse(httpx.get(f"{service.url}/metrics", timeout=60).text)
    assert samples['folio_engine_losses_total{cause="died"}'] == 2
    assert samples["folio_engine_pages_read_again_total"] >= 2 * NUM_PAGES
    lines = [line for line in service.log().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    again = [event for event in events if "is read again" in event["message"]]
    assert len(again) >= NUM_PAGES
    assert all(event["task_id"] for event in again)
    assert sum("request_id" in event for event in again) >= NUM_PAGES  # images
    assert any("page_number" in event for event in again)  # of the document
    assert any(event["logger"].startswith("vllm") for event in events)


def has_ended(process: psutil.Process) -> bool:
    """Also where its parent has not asked for its exit code yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_core_that_hangs_is_replaced_and_loses_nothing(service: Service) -> None:
    hung = service.engine_core
    with reading(service) as pages:
        hung.send_signal(signal.SIGSTOP)
        answer = service.wait_for_status("unhealthy", timeout_seconds=SILENCE_SECONDS * 4)
        assert "hangs" in answer["reason"]
        check_that_all_are_read(pages)
    assert has_ended(hung)
    assert num_requests(service) == 0


def test_sigterm_under_load_takes_nothing_in_and_ends_what_runs(service: Service) -> None:
    children = psutil.Process(service.process.pid).children(recursive=True)
    image = encode(print_page())
    with reading(service) as pages, httpx.Client(base_url=service.url, timeout=60) as client:
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/readyz").status_code == 503, seconds=10)
        assert "shutting down" in client.get("/readyz").json()["reason"]
        assert client.get("/livez").status_code == 200
        for path, field in (("/api/ocr/image", "image"), ("/api/ocr/pdf", "pdf")):
            refused = client.post(path, files={field: image})
            assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
            assert int(refused.headers["retry-after"]) > 0
        check_that_all_are_read(pages)
    assert service.process.wait(60) == -signal.SIGTERM, service.log()
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert "Traceback" not in service.log().rpartition("Shutting down")[2]


def test_what_does_not_end_in_time_is_handed_back(tmp_path: Path) -> None:
    with running_service(tmp_path, SHUTDOWN_TIMEOUT_SECONDS="0") as service:
        service.wait_for_status("healthy")
        with reading(service) as pages:
            service.process.send_signal(signal.SIGTERM)
            answers = [page.result(timeout=60) for page in pages]
        assert service.process.wait(60) == -signal.SIGTERM, service.log()
    assert {answer.status_code for answer in answers} <= {200, 503}
    handed_back = [answer for answer in answers if answer.status_code == 503]
    assert handed_back
    assert {answer.json()["code"] for answer in handed_back} == {"engine_not_ready"}
