"""Starts the real service as an operator does: `folio serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

START_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: subprocess.Popen[bytes]
    log_path: Path

    @property
    def engine_core(self) -> psutil.Process:
        """vLLM's child process, which holds the model."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if "EngineCore" in " ".join(child.cmdline()))

    def log(self) -> str:
        return self.log_path.read_text()

    def health(self) -> httpx.Response:
        # Without certificates, whose reading would take a fifth of a core while it is asked often.
        return httpx.get(f"{self.url}/health", timeout=10, verify=False)

    def wait_for_status(self, status: str, timeout_seconds: float = START_TIMEOUT_SECONDS) -> dict:
        """Wait until /health says this; fails early when the process has ended."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the service has ended:\n{self.log()}"
            try:
                answer = self.health().json()
            except httpx.TransportError:
                answer = {}
            if answer.get("status") == status:
                return answer
            time.sleep(0.1)
        raise AssertionError(f"not {status} within {timeout_seconds} s:\n{self.log()}")


@contextmanager
def running_service(folder: Path, **environment: str) -> Iterator[Service]:
    """Start the service with these settings; stops it with SIGTERM at the end."""
    port = _free_port()
    log_path = folder / "service.log"
    command = [str(Path(sys.executable).with_name("folio")), "serve"]
    settings = {"PORT": str(port), "HOST": "127.0.0.1", "DATA_DIR": str(folder)} | environment
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Service(f"http://127.0.0.1:{port}", process, log_path)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
