"""`folio health` says in a line and an exit status whether the service is well."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from folio.cli import app


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The address of a service that has one answer for everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ask(url: str) -> tuple[int, str]:
    return run("health", "--url", url)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output.strip()


def test_a_healthy_service_ends_with_0_and_its_models_name() -> None:
    with answering(200, json.dumps({"status": "healthy", "model": "folio-nano"})) as url:
        assert ask(url) == (0, "healthy: folio-nano")


def test_an_unhealthy_service_ends_with_1_and_its_reason() -> None:
    body = {"status": "unhealthy", "model": "folio-nano", "reason": "The engine died."}
    with answering(503, json.dumps(body)) as url:
        assert ask(url) == (1, "unhealthy: The engine died.")


def test_something_else_on_that_port_is_no_service() -> None:
    with answering(404, "<html>not here</html>") as url:
        code, line = ask(url)
    assert code == 1
    assert line.startswith(f"unreachable: {url}/health")


def test_nothing_on_that_port_is_told_with_the_address() -> None:
    code, line = ask("http://127.0.0.1:1")
    assert code == 1
    assert "http://127.0.0.1:1/health" in line


def test_a_proxy_is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(200, json.dumps({"status": "healthy", "model": "folio-nano"})) as url:
        assert ask(url)[0] == 0


def test_a_worker_is_asked_at_its_own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, json.dumps({"status": "healthy", "reason": None})) as url:
        monkeypatch.setenv("WORKER_METRICS_PORT", url.rpartition(":")[2])
        assert run("health", "--worker") == (0, "healthy")


def test_a_worker_is_well_when_all_its_processes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, json.dumps({"status": "healthy", "reason": None})) as url:
        port = url.rpartition(":")[2]
        monkeypatch.setenv("WORKER_METRICS_PORT", port)
        monkeypatch.setenv("WORKER_NUM_PROCESSES", "2")
        code, lines = run("health", "--worker")
    assert code == 1
    assert f"unreachable: http://127.0.0.1:{int(port) + 1}/health" in lines


def test_a_worker_without_a_port_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKER_METRICS_PORT", raising=False)
    code, line = run("health", "--worker")
    assert code == 1
    assert "WORKER_METRICS_PORT" in line
