"""A redis-server of the test's own, on a free port, that keeps nothing on disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import free_port
from tests.programs import HOST, Program, accepts_connections, wait_until

MISSING = (
    "The tests of the queue need redis-server. Install it (Debian: apt-get install redis-server) "
    "and run the tests again."
)


class RedisServer:
    """It can be stopped and started again: then it is empty."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        assert binary is not None, MISSING
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        command = [
            binary,
            "--port",
            self.port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        self._program = Program(command, log_path=folder / "redis.log", environment={})

    def start(self) -> None:
        self._program.start()
        wait_until(lambda: accepts_connections(self.port), seconds=10)

    def stop(self) -> None:
        self._program.kill()


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
