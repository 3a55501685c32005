"""The rendering children of a worker process, with real children."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from folio.config import JobSettings
from folio.documents import RenderedPage
from folio.jobs.renderers import Renderer, Renderers, Source
from tests.unit.documents_pdf.pdfs import write_pdf


@pytest.fixture
async def renderers() -> AsyncIterator[Renderers]:
    renderers = Renderers(JobSettings(render_processes=2))
    yield renderers
    await renderers.close()


async def render(renderer: Renderer, source: Source, numbers: Sequence[int]) -> list[int]:
    async with renderer.reserve():
        pages = [page async for page in renderer.render(source, numbers)]
    return [page.page_number for page in pages if isinstance(page, RenderedPage)]


async def test_those_who_share_a_renderer_get_their_pages_one_after_the_other(
    renderers: Renderers, tmp_path: Path
) -> None:
    source = Source(write_pdf(tmp_path / "a.pdf", 6), dpi=72, measures_writing=False)
    renderer, _ = renderers.all
    ended: list[str] = []

    async def use(name: str, numbers: Sequence[int]) -> list[int]:
        rendered = await render(renderer, source, numbers)
        ended.append(name)
        return rendered

    pages = await asyncio.gather(use("first", (1, 3, 5)), use("second", (2,)))

    assert pages == [[1, 3, 5], [2]]
    assert ended == ["first", "second"]


async def test_a_document_is_opened_in_between(renderers: Renderers, tmp_path: Path) -> None:
    source = Source(write_pdf(tmp_path / "a.pdf", 6), dpi=72, measures_writing=False)
    renderer, other = renderers.all

    async with renderer.reserve(), other.reserve():
        assert await renderers.count_pages(source) == 6


async def test_the_idlest_comes_first(renderers: Renderers) -> None:
    first, second = renderers.all

    assert renderers.idlest_first() == [first, second]
    async with first.reserve():
        assert renderers.idlest_first() == [second, first]
    assert renderers.idlest_first() == [first, second]
