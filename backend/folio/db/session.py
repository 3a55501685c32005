"""The connection to Postgres or SQLite: made on start, bound to one event loop, closed on stop."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any, Self

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidatePoolError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from folio.errors import StorageUnavailableError

_WRITES = "folio_writes"
_BUSY_TIMEOUT_SECONDS = 30
_LOOK_TIMEOUT_SECONDS = 1.0  # of the event loop: only what recovers a database keeps looks waiting
_CONNECT_TIMEOUT_SECONDS = 10.0
# A server that vanished without a word would be waited for by whoever asked it last.
_ANSWER_TIMEOUT_SECONDS = 30.0
# What a server that is stopped looks like: its name is gone (containers), or the way to it.
_NO_WAY = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN}
_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}


class Database:
    """Sessions for units of work. Make one per event loop: asyncpg's connections belong to it."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        answer_timeout_seconds: float | None = _ANSWER_TIMEOUT_SECONDS,
    ) -> None:
        """No I/O yet. url: postgresql://user:password@host/name or sqlite:///path.

        answer_timeout_seconds: how long Postgres is waited for, for a statement and for a
        connection. None: as long as it takes, as migrations may.
        """
        self.db_engine = create_db_engine(
            url, pool_size=pool_size, answer_timeout_seconds=answer_timeout_seconds
        )
        # SQLite has one writer at a time. The others wait here, where they hold no connection that
        # a reader could use, and not in SQLite, which sleeps between its looks at the lock.
        self._writer: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self._is_embedded else nullcontext()
        )
        self._looks = _Looks(self.db_engine.url) if self._is_embedded else None
        self._reading = (
            async_sessionmaker(self.db_engine, expire_on_commit=False)
            if self._looks is None
            else self._looks.make_session
        )
        self._writing = async_sessionmaker(
            self.db_engine.execution_options(**{_WRITES: True}), expire_on_commit=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: committed at the end of the block, rolled back by an exception.

        Raises StorageUnavailableError where the database cannot be reached or written to.
        """
        with _translated():
            async with self._writer, self._writing.begin() as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One consistent look that waits for no writer. Raises StorageUnavailableError."""
        with _translated():
            async with self._reading() as session:
                yield session

    async def ping(self) -> None:
        """Raises StorageUnavailableError where the database does not answer."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        if self._looks is not None:
            self._looks.close()
        await self.db_engine.dispose()

    @property
    def _is_embedded(self) -> bool:
        return self.db_engine.dialect.name == "sqlite"


class _Looks:
    """Looks at SQLite that run on the event loop itself.

    One takes 0.2 ms and waits for no writer. aiosqlite would go to a thread and back six times for
    it, and each time wait for the threads that work on pages: 3 ms, and of a hundred one 60.
    """

    def __init__(self, url: URL) -> None:
        self._db_engine = db_engine = create_engine(
            url.set(drivername="sqlite+pysqlite"),
            max_overflow=-1,  # who waits for a connection here keeps the loop from freeing one
            connect_args={"timeout": _LOOK_TIMEOUT_SECONDS},
        )
        _listen_to_sqlite(db_engine)

        class BoundSession(Session):
            def get_bind(self, *_: Any, **__: Any) -> Engine:
                return db_engine

        self.make_session = async_sessionmaker(
            class_=_LookingSession, sync_session_class=BoundSession, expire_on_commit=False
        )

    def close(self) -> None:
        self._db_engine.dispose()


class _LookingSession(AsyncSession):
    """What it gives is there at once, as AsyncSession's own execute() does not expect."""

    async def execute(self, statement: Any, *arguments: Any, **options: Any) -> Any:
        return await self.run_sync(
            lambda session: session.execute(statement, *arguments, **options)
        )


def create_db_engine(
    url: str, *, pool_size: int = 10, answer_timeout_seconds: float | None = None
) -> AsyncEngine:
    """The engine with our drivers and, for SQLite, our pragmas."""
    parsed = make_url(url)
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            parsed, pool_size=pool_size, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS}
        )
        _listen_to_sqlite(engine.sync_engine)
        return engine
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        pool_timeout=answer_timeout_seconds or _ANSWER_TIMEOUT_SECONDS,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_SECONDS,
            "command_timeout": answer_timeout_seconds,
        },
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_cut)
    return engine


def _replace_if_cut(connection: Any, _: ConnectionPoolEntry, __: Any) -> None:
    """A connection that the server's restart has cut is replaced before its use, as all others are.

    SQLAlchemy's own `pool_pre_ping` begins and ends a transaction for that: three questions.
    """
    try:
        connection.run_async(lambda asyncpg_connection: asyncpg_connection.execute("SELECT 1"))
    except (PostgresError, InterfaceError, InternalClientError, OSError, TimeoutError) as error:
        raise InvalidatePoolError from error


def _listen_to_sqlite(db_engine: Engine) -> None:
    event.listen(db_engine, "connect", _set_up_sqlite)
    event.listen(db_engine, "begin", _begin_sqlite)


def _set_up_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes fails at once where another one wrote in
    # between; one that takes the write lock at its start waits its turn.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError):
        raise  # ours to mend, not the operator's
    except (DBAPIError, NoFreeConnectionError, OSError) as error:
        if isinstance(error, OSError) and not _is_of_the_network(error):
            raise
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StorageUnavailableError(
            f"The database cannot be used now ({cause}). Check DATABASE_URL and the server."
        ) from error


def _is_of_the_network(error: OSError) -> bool:
    """And not of a file that is read or written between questions to the database."""
    kinds = (ConnectionError, TimeoutError, socket.gaierror)
    return isinstance(error, kinds) or error.errno in _NO_WAY
