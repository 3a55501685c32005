"""Reads a task's pages, a range at a time, with a bounded number of them in flight.

A range is claimed, then rendered page by page; each page is on its way to the engine while the
next one is drawn, and is stored by itself when it is done. Who asks for a range waits until it is
nearly rendered, not until it is read: the leases guard what is in flight, not the queue's message.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from folio.db import Database, PageRepository, read_clock
from folio.db.pages import PageClaim
from folio.documents import RenderedPage
from folio.errors import EngineTimeoutError, FolioError, StorageUnavailableError
from folio.jobs.background import Background
from folio.jobs.clock import now
from folio.jobs.keys import upload_key
from folio.jobs.leases import Leases
from folio.jobs.options import DocumentOptions
from folio.jobs.page_work import TROUBLE, ClaimedPage, PageWork
from folio.jobs.renderers import Page, Renderer, Renderers, Source
from folio.jobs.window import Window
from folio.storage import Storage
from folio.telemetry.context import working_on
from folio.telemetry.tracing import span

log = logging.getLogger(__name__)

# So many pages of a range are still to be drawn when the next one is asked for, so that renderers
# need not wait for the message and the claim.
_RENDERED_AHEAD = 6
_MIN_PAGES_TO_SPLIT = 4


@dataclass
class PageRange:
    """Pages of one task that were claimed together."""

    task_id: UUID
    options: DocumentOptions
    claims: Sequence[PageClaim]
    num_unrendered: int = field(init=False)
    works: list[asyncio.Task[None]] = field(default_factory=list, init=False)
    is_nearly_rendered: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self.num_unrendered = len(self.claims)

    def count_rendered(self) -> None:
        self.num_unrendered -= 1
        if self.num_unrendered <= min(_RENDERED_AHEAD, len(self.claims) // 2):
            self.is_nearly_rendered.set()

    def strands(self, number: int) -> list[Sequence[PageClaim]]:
        """Every second page, or every third ..., for renderers that work side by side."""
        if len(self.claims) < _MIN_PAGES_TO_SPLIT:
            return [self.claims]
        return [self.claims[start::number] for start in range(number)]


class PageReader:
    """All reading of one worker process.

    `on_read` hears of a task whose last page is stored, `on_trouble` of one that is better left
    alone for a while.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        renderers: Renderers,
        leases: Leases,
        window: Window,
        page_work: PageWork,
        pages_per_range: int,
        max_page_claims: int,
        on_read: Callable[[UUID], None],
        on_trouble: Callable[[UUID], None],
    ) -> None:
        self._database = database
        self._storage = storage
        self._renderers = renderers
        self._leases = leases
        self._window = window
        self._page_work = page_work
        self._pages_per_range = pages_per_range
        self._max_page_claims = max_page_claims
        self._on_read = on_read
        self._on_trouble = on_trouble
        self._background = Background()
        # One range at a time is fed into the window, so that documents take turns.
        self._feeding = asyncio.Lock()
        self._reading_suspect = asyncio.Lock()

    async def read_range(
        self, task_id: UUID, options: DocumentOptions, *, on_claim: Callable[[], None]
    ) -> bool:
        """Claim pages and bring them on their way. False where there are none to be claimed.

        `on_claim` is called between the two: others may then claim the next range.
        """
        async with self._feeding:
            claims = await self._claim(task_id, self._pages_per_range, max_claims=1)
            if claims:
                on_claim()
                pages = PageRange(task_id, options, claims)
                run = self._background.start(self._run(pages), name=f"Task {task_id}, reading")
                await _first_of(run, pages.is_nearly_rendered)
                return True
        return await self._read_suspect(task_id, options, on_claim=on_claim)

    async def close(self) -> None:
        """Stop the work on every page."""
        await self._leases.cancel_all()
        await self._background.cancel()

    async def _read_suspect(
        self, task_id: UUID, options: DocumentOptions, *, on_claim: Callable[[], None]
    ) -> bool:
        """A page whose earlier worker died, by itself: one that kills takes no other along."""
        async with self._reading_suspect:
            claims = await self._claim(task_id, 1, max_claims=self._max_page_claims)
            if not claims:
                return False
            on_claim()
            pages = PageRange(task_id, options, claims)
            await self._background.start(self._run(pages), name=f"Task {task_id}, reading")
            await asyncio.gather(*pages.works, return_exceptions=True)
        return True

    async def _claim(self, task_id: UUID, limit: int, *, max_claims: int) -> list[PageClaim]:
        async with self._database.transaction() as session:
            instant = await read_clock(session)
            claims = await PageRepository(session).claim(
                task_id,
                self._leases.owner,
                now=instant,
                expires_at=instant + self._leases.duration,
                max_claims=max_claims,
                limit=limit,
            )
        self._leases.add_pages(claims)
        return claims

    async def _run(self, pages: PageRange) -> None:
        """Render the range and begin the work on each page."""
        try:
            async with (
                self._storage.open_local(upload_key(pages.task_id)) as path,
                asyncio.TaskGroup() as group,
            ):
                source = Source.of(path, pages.options)
                renderers = self._renderers.idlest_first()
                for renderer, strand in zip(renderers, pages.strands(len(renderers)), strict=False):
                    group.create_task(self._feed(pages, source, renderer, strand))
        except StorageUnavailableError as error:
            await self._leave_alone(pages.task_id, error)
        except Exception:
            # It did open before. What is left is tried again page by page, and not for ever.
            for claim in self._leases.waiting_pages(pages.task_id):
                await self._abandon(claim)
            raise

    async def _feed(
        self, pages: PageRange, source: Source, renderer: Renderer, claims: Sequence[PageClaim]
    ) -> None:
        numbers = [claim.page_number for claim in claims]
        async with renderer.reserve(), aclosing(renderer.render(source, numbers)) as rendering:
            for claim in claims:
                if not self._leases.holds(claim):
                    break  # canceled, given back, or another's now
                await self._begin_next(pages, claim, rendering)
        for claim in self._leases.waiting_pages(pages.task_id):
            if claim in claims:  # behind one that is another's: whoever is free takes it
                await self._give_back(claim)

    async def _begin_next(
        self, pages: PageRange, claim: PageClaim, rendering: AsyncIterator[Page]
    ) -> None:
        await self._window.enter()
        try:
            page = ClaimedPage(claim, pages.options, now())
            rendered = await anext(rendering)
            pages.count_rendered()
            num_bytes = rendered.pixels.nbytes if isinstance(rendered, RenderedPage) else 0
            await self._window.weigh(num_bytes)
        except BaseException:
            self._window.leave(0)
            raise
        name = f"Task {claim.task_id}, page {claim.page_number}"
        work = self._background.start(self._finish(page, rendered), name=name)
        work.add_done_callback(lambda _: self._window.leave(num_bytes))
        self._leases.begin_page(claim, work)
        pages.works.append(work)

    async def _finish(self, page: ClaimedPage, rendered: Page) -> None:
        claim = page.claim
        try:
            with _working_on(claim):
                is_last = await self._page_work.finish(page, rendered)
        except TROUBLE as error:
            await self._give_back(claim)
            await self._leave_alone(claim.task_id, error)
        except EngineTimeoutError as error:
            log.warning("Page %s of task %s: %s", claim.page_number, claim.task_id, error.message)
            await self._abandon(claim)
        except Exception:  # held on to, it would be nobody's until this process ends
            await self._abandon(claim)
            raise
        else:
            self._leases.drop_page(claim)
            if is_last:
                self._on_read(claim.task_id)

    async def _leave_alone(self, task_id: UUID, error: FolioError) -> None:
        """Give back what was not begun. What is in flight meets the trouble by itself."""
        log.warning("Task %s is left alone for a while: %s", task_id, error.message)
        self._on_trouble(task_id)
        for claim in self._leases.waiting_pages(task_id):
            await self._give_back(claim)

    async def _give_back(self, claim: PageClaim) -> None:
        self._leases.drop_page(claim)
        async with self._database.transaction() as session:
            await PageRepository(session).release(claim)

    async def _abandon(self, claim: PageClaim) -> None:
        self._leases.drop_page(claim)
        async with self._database.transaction() as session:
            await PageRepository(session).abandon(claim)


@contextmanager
def _working_on(claim: PageClaim) -> Iterator[None]:
    task_id, number = str(claim.task_id), claim.page_number
    with (
        working_on(task_id=task_id, page_number=number),
        span("read page", task_id=task_id, page_number=number),
    ):
        yield


async def _first_of(run: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait until the event is set, or the run has ended without setting it."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([run, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
