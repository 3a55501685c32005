"""What a worker process answers over HTTP."""

import asyncio
import threading
import time

import httpx

from folio.jobs.readiness import Trouble
from folio.jobs.worker_http import HANGS, FindProblem, ask_on, make_app, serve_worker
from tests.metrics import Samples
from tests.postgres import free_port


def ask(path: str, find_problem: FindProblem) -> httpx.Response:
    with httpx.Client(transport=httpx.WSGITransport(app=make_app(find_problem))) as client:
        return client.get(f"http://worker{path}")


def test_a_worker_that_is_well_says_so() -> None:
    answer = ask("/health", lambda: None)
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy", "reason": None}


def test_one_that_cannot_work_says_why() -> None:
    answer = ask("/health", lambda: "The broker does not answer.")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unhealthy", "reason": "The broker does not answer."}


def test_its_metrics_do_not_depend_on_its_health() -> None:
    def fail() -> str:
        raise AssertionError("not to be asked")

    answer = ask("/metrics", fail)
    assert answer.status_code == 200
    assert "process_resident_memory_bytes" in Samples.parse(answer.text)


def test_a_port_that_is_taken_ends_nothing() -> None:
    port = free_port()
    serve_worker(port, lambda: None)
    serve_worker(port, lambda: "the second")
    assert httpx.get(f"http://127.0.0.1:{port}/health").json()["status"] == "healthy"


async def is_well() -> None:
    """Nothing to tell."""


async def is_away() -> Trouble:
    return Trouble("broker_unavailable", "The broker does not answer.")


def test_a_loop_that_is_stuck_is_told_from_one_that_turns() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        assert ask_on(loop, is_well) is None
        assert ask_on(loop, is_away) == "The broker does not answer."
        loop.call_soon_threadsafe(time.sleep, 0.5)
        assert ask_on(loop, is_well, patience_seconds=0.05) == HANGS
        assert ask_on(loop, is_well) is None
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
