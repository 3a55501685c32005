"""One page, from its pixels to its stored outcome."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from datetime import datetime

from folio.db import Database, PageOutcome, PageRepository, PageStatus, TaskRepository
from folio.db.pages import PageClaim
from folio.documents import FailedPage, RenderedPage
from folio.engine import OcrEngine
from folio.errors import (
    EngineNotReadyError,
    EngineOverloadedError,
    EngineTimeoutError,
    FolioError,
    RequestCanceledError,
    StorageUnavailableError,
)
from folio.jobs.clock import now
from folio.jobs.leases import Leases
from folio.jobs.options import DocumentOptions
from folio.jobs.pictures import store_pictures
from folio.jobs.results import page_outcome
from folio.pipeline.repair import read_page
from folio.storage import Storage
from folio.telemetry.metrics import PAGES, Stage, timed

log = logging.getLogger(__name__)

# Not the page's fault, and over some day: the page is given back as if nobody had touched it.
TROUBLE = (
    EngineNotReadyError,
    EngineOverloadedError,
    RequestCanceledError,
    StorageUnavailableError,
)

NOT_RENDERED = "not_rendered"
_STORE_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class ClaimedPage:
    """A page that this process works on. `started_at`: when it was its turn to be rendered."""

    claim: PageClaim
    options: DocumentOptions
    started_at: datetime


class PageWork:
    """Reads a page, stores its pictures and its outcome."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        engine: OcrEngine,
        leases: Leases,
        *,
        max_crops: int,
    ) -> None:
        self._database = database
        self._storage = storage
        self._engine = engine
        self._leases = leases
        self._max_crops = max_crops
        # More at once than there are cores are no sooner done, and each takes 9 MB for a copy.
        self._drawing = asyncio.Semaphore(os.cpu_count() or 1)

    async def finish(self, page: ClaimedPage, rendered: RenderedPage | FailedPage) -> bool:
        """Whether it was the task's last page. Raises TROUBLE; the page is then still claimed."""
        try:
            outcome = await self._outcome(page, rendered)
        except (*TROUBLE, EngineTimeoutError):
            raise
        except FolioError as error:
            outcome = _failed(page, error.message, error.code)
        except Exception as error:  # a bug of ours costs a page, not a document
            log.exception("Page %s of %s", page.claim.page_number, page.claim.task_id)
            reason = f"Folio has failed on this page ({type(error).__name__})."
            outcome = _failed(page, reason, FolioError.code)
        self._leases.begin_storing(page.claim)
        with timed(Stage.STORE):
            is_last = await self._store(page.claim, outcome)
        PAGES.labels("document", outcome.status).inc()
        return is_last

    async def _outcome(self, page: ClaimedPage, rendered: RenderedPage | FailedPage) -> PageOutcome:
        if isinstance(rendered, FailedPage):
            return _failed(page, rendered.reason, NOT_RENDERED)
        task_id, number = page.claim.task_id, page.claim.page_number
        repaired = await read_page(
            self._engine,
            rendered.pixels,
            page.options.page_options(),
            request_id=f"{task_id}:{number}",
            max_crops=self._max_crops,
            writing=rendered.writing,
        )
        with timed(Stage.PICTURES):
            links = await store_pictures(
                self._storage,
                task_id,
                number,
                rendered.pixels,
                repaired.result,
                turns=self._drawing,
            )
        return page_outcome(
            repaired, figure_links=links, started_at=page.started_at, finished_at=now()
        )

    async def _store(self, claim: PageClaim, outcome: PageOutcome) -> bool:
        """An answer is dear: a database that restarts is waited for, as long as the lease lasts."""
        deadline = time.monotonic() + self._leases.duration.total_seconds()
        while True:
            try:
                async with self._database.transaction() as session:
                    stored = await PageRepository(session).finish(claim, outcome)
                    if stored is not None:
                        return stored.is_last
                    # Another's now; or stored, and only its confirmation was lost.
                    return await TaskRepository(session).is_read(claim.task_id)
            except StorageUnavailableError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_STORE_PAUSE_SECONDS)


def _failed(page: ClaimedPage, reason: str, code: str) -> PageOutcome:
    return PageOutcome(PageStatus.FAILED, page.started_at, now(), reason=reason, reason_code=code)
