"""Programs that tests start, kill and start again, each in a process group of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"


class Program:
    """A program of our own or a server. stop() and kill() take its children along."""

    def __init__(
        self, command: Sequence[object], *, log_path: Path, environment: Mapping[str, str]
    ) -> None:
        self.command = [str(part) for part in command]
        self.log_path = log_path
        self.environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None, "it was started"
        return self.process.pid

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As the kernel does where memory is short: no goodbye."""
        self._signal(signal.SIGKILL)
        assert self.process is not None, "it was started"
        self.process.wait(10)

    def stop(self, timeout_seconds: float = 30) -> int:
        """SIGTERM to the program itself, as a supervisor sends it. Gives the exit status."""
        assert self.process is not None, "it was started"
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout_seconds)
        finally:
            self._signal(signal.SIGKILL)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None, "it was started"
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def wait_until(
    condition: Callable[[], bool], *, seconds: float, pause_seconds: float = 0.05
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(pause_seconds)


async def eventually(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        await asyncio.sleep(0.01)


def accepts_connections(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0
