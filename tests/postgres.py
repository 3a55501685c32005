"""A real Postgres for tests: a throwaway one from this machine's binaries, or its server."""

import asyncio
import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

HOST, PORT = "127.0.0.1", 5432
DEBIAN_BINARIES = Path("/usr/lib/postgresql")
CAN_CREATE = (
    "DO $$ BEGIN ASSERT (SELECT rolcreatedb OR rolsuper FROM pg_roles "
    "WHERE rolname = current_user); END $$"
)
MISSING = (
    "The tests of the database need Postgres. There is no initdb to start one with, and none on "
    "127.0.0.1:5432 that lets us in without a password. Install it (Debian: apt-get install "
    "postgresql) and run the tests again."
)


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a server that lets us make databases, without a database's name.

    A throwaway one comes first: it does not wait for the disk, and nobody else's data is near.
    """
    binaries = find_binaries()
    if binaries is not None:
        with throwaway_postgres(binaries) as url:
            yield url
        return
    urls = [f"postgresql://{user}@{HOST}:{PORT}" for user in ("postgres", getpass.getuser())]
    url = next((url for url in urls if can_make_databases(url)), None)
    assert url is not None, MISSING
    yield url


class PostgresServer:
    """A cluster in a folder of its own, on a free port. It can be stopped and started again."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@{HOST}:{self.port}"
        self._folder = folder
        self._pg_ctl = binaries / "pg_ctl"
        self._data = folder / "data"
        self._user = "postgres" if os.getuid() == 0 else None  # initdb refuses root
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        arguments = ("-D", self._data, "-U", "postgres", "-A", "trust", "-N")
        run(binaries / "initdb", *arguments, user=self._user)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses={HOST} -k {self._folder} -c fsync=off"
        self._control("-l", self._folder / "log", "-w", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._control("-m", mode, "-w", "stop")

    def _control(self, *arguments: object) -> None:
        run(self._pg_ctl, "-D", self._data, *arguments, user=self._user)


@contextmanager
def throwaway_postgres(binaries: Path) -> Iterator[str]:
    """A cluster of its own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="folio-postgres-") as name:
        server = PostgresServer(Path(name), binaries)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def execute(url: str, statement: str) -> None:
    """One statement outside of a transaction, on the server's own database."""

    async def connect_and_execute() -> None:
        connection = await asyncpg.connect(f"{url}/postgres", timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(connect_and_execute())


def can_make_databases(url: str) -> bool:
    try:
        execute(url, CAN_CREATE)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    return True


def find_binaries() -> Path | None:
    """Where initdb and pg_ctl are: the newest of Debian's, or on the PATH."""
    versions = sorted(DEBIAN_BINARIES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def run(program: Path, *arguments: object, user: str | None) -> None:
    # Files, not pipes: the server that pg_ctl leaves behind would hold a pipe open for good.
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run(
            [program, *map(str, arguments)],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        assert ended.returncode == 0, output.read().decode()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
