"""The rendering children of one worker process, used from its event loop.

Each has a thread of its own, in which it is asked for one thing after the other. Two of them draw
two pages at a time, and a document that is slow to open holds up only one.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from folio.config import JobSettings
from folio.documents import (
    Document,
    FailedPage,
    RenderedPage,
    RendererName,
    RenderLimits,
    RenderProcess,
    open_document,
)
from folio.jobs.options import DocumentOptions
from folio.pipeline.page import AUTO
from folio.telemetry.metrics import Stage, timed

Answer = TypeVar("Answer")
Page = RenderedPage | FailedPage


@dataclass(frozen=True)
class Source:
    """A document on disk, and how it is rendered."""

    path: Path
    dpi: int
    measures_writing: bool

    @classmethod
    def of(cls, path: Path, options: DocumentOptions) -> Self:
        return cls(path, options.dpi, measures_writing=options.mode == AUTO)


class Renderer:
    """One child, its thread, and the document that it has open."""

    def __init__(self, limits: RenderLimits, order: Sequence[RendererName]) -> None:
        self.num_users = 0
        self._turn = asyncio.Lock()
        self._process = RenderProcess(limits)
        self._order = order
        self._thread = ThreadPoolExecutor(1, "folio-render")
        self._open: tuple[Source, Document] | None = None

    async def start(self) -> None:
        """Start the child ahead of its first document."""
        await self._in_thread(self._process.start)

    async def open(self, source: Source, *, anew: bool = False) -> Document:
        """Raises what open_document() raises."""
        if self._open is not None and self._open[0] == source and not anew:
            return self._open[1]
        self._open = None
        document = await self._in_thread(
            lambda: open_document(
                source.path,
                self._process,
                renderers=self._order,
                dpi=source.dpi,
                measures_writing=source.measures_writing,
            )
        )
        self._open = (source, document)
        return document

    @asynccontextmanager
    async def reserve(self) -> AsyncIterator[None]:
        """Wait for those before us, and keep those behind us waiting: a page that was drawn ahead
        is lost when somebody else's comes in between, and has to be drawn again."""
        with self.use():
            async with self._turn:
                yield

    @contextmanager
    def use(self) -> Iterator[None]:
        """Use it, or wait for it."""
        self.num_users += 1
        try:
            yield
        finally:
            self.num_users -= 1

    async def render(self, source: Source, page_numbers: Sequence[int]) -> AsyncGenerator[Page]:
        """These pages in this order; while one is taken, the next is drawn. Reserve it before."""
        document = await self.open(source)
        pages = document.render_pages(page_numbers)
        for _ in page_numbers:
            with timed(Stage.RENDER):
                page = await self._in_thread(lambda: next(pages))
            yield page

    async def close(self) -> None:
        """Also in the middle of a page."""
        self._process.kill()
        await self._in_thread(self._process.close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


class Renderers:
    """All of a worker process. Documents may share one: they take turns range by range."""

    def __init__(self, settings: JobSettings) -> None:
        limits = RenderLimits(
            max_page_pixels=settings.max_page_pixels,
            max_memory_bytes=settings.max_render_memory_bytes,
            timeout_seconds=settings.render_timeout_seconds,
        )
        order = _renderer_order(RendererName(settings.pdf_renderer))
        self.all = tuple(Renderer(limits, order) for _ in range(settings.render_processes))

    async def start(self) -> None:
        await asyncio.gather(*(renderer.start() for renderer in self.all))

    async def close(self) -> None:
        await asyncio.gather(*(renderer.close() for renderer in self.all))

    async def count_pages(self, source: Source) -> int:
        """Open the document. Raises what open_document() raises."""
        renderer, *_ = self.idlest_first()
        with renderer.use():
            return (await renderer.open(source, anew=True)).num_pages

    def idlest_first(self) -> list[Renderer]:
        """All, beginning with the one that the fewest use or wait for."""
        return sorted(self.all, key=lambda renderer: renderer.num_users)


def _renderer_order(first: RendererName) -> tuple[RendererName, ...]:
    second = RendererName.PDFIUM if first is RendererName.MUPDF else RendererName.MUPDF
    return first, second
