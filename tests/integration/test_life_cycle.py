"""Start, overload, death and end of the service, in processes of its own."""

import concurrent.futures
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.pages import encode, print_page
from tests.service import Service, running_service

pytestmark = pytest.mark.engine

PAGE = encode(print_page())


def post(service: Service, **fields: str) -> httpx.Response:
    return httpx.post(
        f"{service.url}/api/ocr/image",
        files={"image": PAGE},
        data={"mode": "small", "task": "free"} | fields,
        timeout=120,
    )


def test_a_set_up_that_cannot_work_says_why_and_ends_the_process(tmp_path: Path) -> None:
    with running_service(tmp_path, MODEL_PATH=str(tmp_path / "nowhere")) as service:
        answer = service.wait_for_status("unhealthy")
        assert "nowhere" in answer["reason"]
        assert not answer["model_loaded"]
        page = post(service)
        assert page.status_code == 503
        assert page.json()["code"] == "engine_not_ready"
        assert service.process.wait(120) == 1
    assert "mend it, then start Folio anew" in service.log()
    assert service.log().count("Loading model") == 1


def test_a_wrong_setting_ends_the_start_with_its_name(tmp_path: Path) -> None:
    with running_service(tmp_path, MAX_MODEL_LEN="many") as service:
        assert service.process.wait(60) == 2
    assert "MAX_MODEL_LEN='many'" in service.log()


def test_a_service_that_still_loads_answers_and_can_be_stopped(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        service.wait_for_status("starting")
        assert service.health().status_code == 503
        assert httpx.get(f"{service.url}/livez").status_code == 200
        page = post(service)
        assert (page.status_code, page.json()["code"]) == (503, "engine_not_ready")
        assert int(page.headers["retry-after"]) > 0
        time.sleep(8)  # into vLLM's start
        children = psutil.Process(service.process.pid).children(recursive=True)
        stopped_at = time.monotonic()
        stop_gracefully(service)
        assert time.monotonic() - stopped_at < 25
    assert_all_ended(children)


@pytest.fixture(scope="module")
def narrow_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """It reads one page at a time, and lets one wait."""
    settings = {"MAX_NUM_SEQS": "1", "MAX_QUEUED_REQUESTS": "1"}
    with running_service(tmp_path_factory.mktemp("narrow"), **settings) as service:
        service.wait_for_status("healthy")
        yield service


def test_a_full_queue_refuses_with_the_time_to_wait(narrow_service: Service) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: post(narrow_service), range(6)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 4
    assert all(answer.json()["code"] == "engine_overloaded" for answer in refused)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert sum(answer.status_code == 200 for answer in answers) == 2


def test_sigterm_ends_all_processes(narrow_service: Service) -> None:
    """The last test of this service, which it ends."""
    children = psutil.Process(narrow_service.process.pid).children(recursive=True)
    stop_gracefully(narrow_service)
    assert_all_ended(children)
    assert "Traceback" not in narrow_service.log()


def stop_gracefully(service: Service) -> None:
    """SIGTERM; uvicorn shuts down, then ends by the signal it was sent, as a shell expects."""
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == -signal.SIGTERM, service.log()
    assert "Application shutdown complete" in service.log()


def assert_all_ended(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_the_command_line_says_what_there_is() -> None:
    folio = Path(os.sys.executable).with_name("folio")
    answer = subprocess.run([folio, "--help"], capture_output=True, text=True, check=True)
    assert "serve" in answer.stdout
