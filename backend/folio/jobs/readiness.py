"""Whether the database and the broker answer, asked often and at little cost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from folio.errors import StorageUnavailableError
from folio.jobs.parts import JobParts

PATIENCE_SECONDS = 1.0
_KEEP_SECONDS = 2.0
_DATABASE_IS_LATE = "The database does not answer. Check DATABASE_URL and the server."
_NO_BROKER = "The broker does not answer. Check CELERY_BROKER_URL and the server."

DATABASE_UNAVAILABLE = "database_unavailable"
BROKER_UNAVAILABLE = "broker_unavailable"


@dataclass(frozen=True)
class Trouble:
    """Why tasks cannot be worked on now: for programs, and in words for the operator."""

    code: str
    message: str


Check = Callable[[], Awaitable[str | None]]
"""Gives what is wrong, in words for the operator, or None."""


class Readiness:
    """One look at a time; its answer holds for a while. Nobody waits longer than a second.

    A look that takes longer goes on: its being late is the answer until it ends.
    """

    def __init__(self, check: Check, *, late: str, keep_seconds: float = _KEEP_SECONDS) -> None:
        self._check = check
        self._late = late
        self._keep_seconds = keep_seconds
        self._problem: str | None = None
        self._good_until = 0.0
        self._look: asyncio.Task[None] | None = None

    async def find_problem(self) -> str | None:
        """What keeps tasks from being worked on now, or None."""
        if self._look is None and time.monotonic() < self._good_until:
            return self._problem
        if self._look is None:
            self._look = asyncio.create_task(self._look_once(), name="Readiness")
        look = self._look
        await asyncio.wait([look], timeout=PATIENCE_SECONDS)
        if not look.done():
            return self._late
        look.result()
        return self._problem

    async def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
            with suppress(asyncio.CancelledError):
                await self._look

    async def _look_once(self) -> None:
        try:
            self._problem = await self._check()
            self._good_until = time.monotonic() + self._keep_seconds
        finally:
            self._look = None


class JobReadiness:
    """Whether tasks can be kept and worked on, by all that the jobs need."""

    def __init__(self, parts: JobParts) -> None:
        self._parts = parts
        self._database = Readiness(self._ask_database, late=_DATABASE_IS_LATE)
        self._broker = Readiness(self._ask_broker, late=_NO_BROKER)

    async def find_trouble(self) -> Trouble | None:
        """Within about a second; None where all is well. The code of two is the database's."""
        if self._parts.database_problem is not None:
            return Trouble(DATABASE_UNAVAILABLE, self._parts.database_problem)
        problems = await asyncio.gather(self._database.find_problem(), self._broker.find_problem())
        database, broker = problems
        if database is None and broker is None:
            return None
        code = DATABASE_UNAVAILABLE if database else BROKER_UNAVAILABLE
        return Trouble(code, " ".join(filter(None, problems)))

    async def close(self) -> None:
        await self._database.close()
        await self._broker.close()

    async def _ask_database(self) -> str | None:
        try:
            await self._parts.database.ping()
        except StorageUnavailableError as error:
            return error.message
        return None

    async def _ask_broker(self) -> str | None:
        return None if await self._parts.queue.ping() else _NO_BROKER
