"""What this worker process holds, and the heartbeat that keeps it.

The heartbeat extends the leases, and looks twice a second whether the tasks still want their work:
what belongs to a task that was canceled or deleted is cancelled, and so is a page that another
worker has taken over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from folio.db import Database, LeaseRepository, TaskRepository, read_clock
from folio.db.pages import PageClaim
from folio.errors import StorageUnavailableError

log = logging.getLogger(__name__)

_BEAT_SECONDS = 0.5
_EXTENSIONS_PER_LEASE = 3
_STORING_SECONDS = 5.0

Work = asyncio.Task[None]
Drive = Callable[[UUID], Coroutine[Any, Any, None]]


@dataclass
class HeldPage:
    """A claimed page. `is_storing`: its outcome is being stored, which is not to be cut short."""

    work: Work | None = None
    is_storing: bool = False

    def cancel(self) -> None:
        if self.work is not None and not self.is_storing:
            self.work.cancel()


@dataclass
class HeldTask:
    """What is held of one task: pages, and the work of who drives it."""

    pages: dict[PageClaim, HeldPage] = field(default_factory=dict)
    driver: Work | None = None

    def works(self) -> list[Work]:
        begun = [page.work for page in self.pages.values()]
        return [work for work in (*begun, self.driver) if work is not None]

    def cancel(self) -> None:
        for page in self.pages.values():
            page.cancel()
        if self.driver is not None:
            self.driver.cancel()


class Leases:
    """See the module. All of it on one event loop.

    `on_unwanted` hears of a task that was canceled or deleted, and of its works that now end.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        *,
        lease_seconds: float,
        on_unwanted: Callable[[UUID, Sequence[Work]], None],
    ) -> None:
        self.owner = owner
        self._on_unwanted = on_unwanted
        self.duration = timedelta(seconds=lease_seconds)
        self._database = database
        self._held: dict[UUID, HeldTask] = {}
        self._driven: set[UUID] = set()
        self._extend_every_seconds = lease_seconds / _EXTENSIONS_PER_LEASE
        self._beat_seconds = min(_BEAT_SECONDS, self._extend_every_seconds)

    def add_pages(self, claims: Iterable[PageClaim]) -> None:
        for claim in claims:
            self._held.setdefault(claim.task_id, HeldTask()).pages[claim] = HeldPage()

    def holds(self, claim: PageClaim) -> bool:
        """False once the page was dropped, or lost to another worker, or its task has ended."""
        return self._page(claim) is not None

    def begin_page(self, claim: PageClaim, work: Work) -> None:
        """This is the work on the page. It is cancelled when the page is lost."""
        page = self._page(claim)
        if page is None:
            work.cancel()
        else:
            page.work = work

    def begin_storing(self, claim: PageClaim) -> None:
        """From here on the work is left to end by itself."""
        page = self._page(claim)
        if page is not None:
            page.is_storing = True

    def drop_page(self, claim: PageClaim) -> None:
        """The page is finished or given back."""
        held = self._held.get(claim.task_id)
        if held is not None:
            held.pages.pop(claim, None)
            self._forget_if_empty(claim.task_id)

    def task_ids(self) -> list[UUID]:
        """The tasks of which anything is held."""
        return list(self._held)

    def waiting_pages(self, task_id: UUID) -> list[PageClaim]:
        """Those that no work was begun on."""
        held = self._held.get(task_id, HeldTask())
        return [claim for claim, page in held.pages.items() if page.work is None]

    async def drive(self, task_id: UUID, work: Drive) -> bool:
        """Do this as the only one, anywhere, who drives the task. False where another one does.

        Raises what the work raises; ends early, without a word, where the task was canceled.
        """
        if task_id in self._driven:
            return False
        self._driven.add(task_id)
        try:
            if not await self._lease_task(task_id):
                return False
            try:
                await self._run_driver(task_id, work)
            finally:
                await self._release_task(task_id)
            return True
        finally:
            self._driven.discard(task_id)

    async def keep(self) -> None:
        """The heartbeat. Runs until it is cancelled."""
        extended_at = time.monotonic()  # the clock on the wall may be set back
        while True:
            await asyncio.sleep(self._beat_seconds)
            if not self._held:
                continue
            try:
                await self._cancel_unwanted()
                if time.monotonic() - extended_at >= self._extend_every_seconds:
                    extended_at = time.monotonic()
                    await self._extend()
            except StorageUnavailableError as error:
                log.warning("The leases could not be extended: %s", error.message)

    async def cancel_all(self) -> None:
        """Stop all work, and wait for its end."""
        works: list[Work] = []
        for held in self._held.values():
            held.cancel()
            works += held.works()
        self._held.clear()
        if works:
            _, late = await asyncio.wait(works, timeout=_STORING_SECONDS)
            for work in late:
                work.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def release_all(self) -> None:
        """Give back all that bears this owner's name. Raises StorageUnavailableError."""
        async with self._database.transaction() as session:
            await LeaseRepository(session).release_all(self.owner)

    async def _cancel_unwanted(self) -> None:
        async with self._database.reading() as session:
            wanted = await LeaseRepository(session).unfinished(list(self._held))
        for task_id in [task_id for task_id in self._held if task_id not in wanted]:
            held = self._held.pop(task_id)
            held.cancel()
            self._on_unwanted(task_id, held.works())

    async def _extend(self) -> None:
        asked_for = {claim for held in self._held.values() for claim in held.pages}
        driven = [task_id for task_id, held in self._held.items() if held.driver is not None]
        async with self._database.transaction() as session:
            leases = LeaseRepository(session)
            expires_at = await read_clock(session) + self.duration
            await leases.extend_tasks(self.owner, driven, expires_at=expires_at)
            ours = await leases.extend_pages(
                self.owner, {claim.task_id for claim in asked_for}, expires_at=expires_at
            )
        for claim in asked_for:
            if (claim.task_id, claim.page_number, claim.num_claims) not in ours:
                self._lose(claim)

    def _lose(self, claim: PageClaim) -> None:
        page = self._page(claim)
        if page is None or page.is_storing:
            return
        log.warning("Page %s of task %s is another's now", claim.page_number, claim.task_id)
        page.cancel()
        self.drop_page(claim)

    async def _lease_task(self, task_id: UUID) -> bool:
        async with self._database.transaction() as session:
            instant = await read_clock(session)
            return await TaskRepository(session).lease(
                task_id, self.owner, now=instant, expires_at=instant + self.duration
            )

    async def _run_driver(self, task_id: UUID, work: Drive) -> None:
        driver = asyncio.create_task(work(task_id))
        self._held.setdefault(task_id, HeldTask()).driver = driver
        try:
            await asyncio.wait([driver])
        finally:
            driver.cancel()
            await asyncio.wait([driver])
            held = self._held.get(task_id)
            if held is not None:
                held.driver = None
                self._forget_if_empty(task_id)
        if not driver.cancelled():
            driver.result()

    async def _release_task(self, task_id: UUID) -> None:
        try:
            async with self._database.transaction() as session:
                await TaskRepository(session).release(task_id, self.owner)
        except StorageUnavailableError as error:
            log.warning("The lease on task %s was left to expire: %s", task_id, error.message)

    def _page(self, claim: PageClaim) -> HeldPage | None:
        held = self._held.get(claim.task_id)
        return None if held is None else held.pages.get(claim)

    def _forget_if_empty(self, task_id: UUID) -> None:
        held = self._held.get(task_id)
        if held is not None and not held.pages and held.driver is None:
            del self._held[task_id]
