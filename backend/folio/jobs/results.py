"""A finished task's artefacts: document.md, document.json, and the ZIP with the pictures."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from folio.db import Database, PageOutcome, PageRepository, PageRow, TaskRepository, TaskRow
from folio.errors import TaskNotFoundError
from folio.jobs.archive import PagePictures, write_archive
from folio.jobs.keys import ResultKind, result_key
from folio.jobs.pictures import MAX_FIGURES
from folio.pipeline.document import (
    DocumentPage,
    DocumentResult,
    JsonWriter,
    render_markdown,
    to_bytes,
)
from folio.pipeline.grounding import FIGURE_LABELS
from folio.pipeline.markdown import to_markdown, to_plain_text
from folio.pipeline.repair import RepairedPage
from folio.pipeline.results import Block, BoundingBox, PageResult
from folio.storage import Storage

_PAGES_AT_ONCE = 50


def page_outcome(
    page: RepairedPage,
    *,
    figure_links: Mapping[BoundingBox, str],
    started_at: datetime,
    finished_at: datetime,
) -> PageOutcome:
    """A read page as the database keeps it. `figure_links`: see store_pictures."""
    result = page.result
    return PageOutcome(
        status=page.status,
        started_at=started_at,
        finished_at=finished_at,
        reason=page.reason,
        reason_code=page.reason_code,
        text=result.text,
        markdown=_markdown(result, figure_links),
        raw_attempts=[asdict(attempt) for attempt in page.attempts],
        blocks=[_block_json(block) for block in result.blocks],
        usage=asdict(result.usage),
        mode=result.mode,
        width=result.width,
        height=result.height,
    )


def _markdown(result: PageResult, figure_links: Mapping[BoundingBox, str]) -> str:
    """As it was read, or anew where there are figures to link."""
    if not figure_links:
        return result.markdown
    return to_markdown(result.blocks, figure_links=figure_links)


async def write_results(database: Database, storage: Storage, task_id: UUID) -> None:
    """Write the artefacts of a task whose pages have their outcomes; the ZIP last.

    Pages come from the database in pieces. Safe to run twice: each artefact is replaced as a
    whole. Raises TaskNotFoundError, StorageUnavailableError.
    """
    task = await _get_task(database, task_id)
    pages = await _write_documents(database, storage, task)
    await write_archive(storage, task_id, pages)


async def _write_documents(
    database: Database, storage: Storage, task: TaskRow
) -> list[PagePictures]:
    """Both documents in one go over the pages; gives the pictures that each page may have."""
    pictures: list[PagePictures] = []
    async with (
        storage.create(result_key(task.id, ResultKind.JSON)) as json_path,
        storage.create(result_key(task.id, ResultKind.MARKDOWN)) as markdown_path,
    ):
        documents = _DocumentFiles(task, markdown_path, json_path)
        try:
            await asyncio.to_thread(documents.begin)
            async for pages in _read_pages(database, task.id):
                await asyncio.to_thread(documents.add, pages)
                pictures += [PagePictures(page.page_number, _num_figures(page)) for page in pages]
            await asyncio.to_thread(documents.end)
        finally:
            await asyncio.to_thread(documents.close)
    return pictures


class _DocumentFiles:
    """document.md and document.json, written side by side. Blocks: call it in a thread.

    Unbuffered: a full disk is then met where it can be told, not when a file is closed.
    """

    def __init__(self, task: TaskRow, markdown_path: Path, json_path: Path) -> None:
        self._paths = (markdown_path, json_path)
        self._files: list[IO[bytes]] = []
        self._json = JsonWriter(_document(task))
        self._separator = ""

    def begin(self) -> None:
        for path in self._paths:
            self._files.append(path.open("wb", buffering=0))
        self._write("", self._json.head())

    def add(self, rows: Sequence[PageRow]) -> None:
        pages = [_page(row) for row in rows]
        for page in pages:
            self._write(self._separator + render_markdown(page), self._json.page(page))
            self._separator = "\n"

    def end(self) -> None:
        self._write("", self._json.tail())

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _write(self, *parts: str) -> None:
        for file, part in zip(self._files, parts, strict=True):
            rest = memoryview(to_bytes(part))
            while rest:
                rest = rest[file.write(rest) :]


async def _get_task(database: Database, task_id: UUID) -> TaskRow:
    async with database.reading() as session:
        task = await TaskRepository(session).get(task_id)
    if task is None:
        raise TaskNotFoundError(f"There is no task {task_id}. It was deleted.")
    return task


async def _read_pages(database: Database, task_id: UUID) -> AsyncIterator[list[PageRow]]:
    """All pages in ascending order, in pieces; no transaction is held open in between."""
    last = 0
    while True:
        async with database.reading() as session:
            pages = await PageRepository(session).list_range(
                task_id, after=last, limit=_PAGES_AT_ONCE
            )
        if not pages:
            return
        yield pages
        last = pages[-1].page_number


def _document(task: TaskRow) -> DocumentResult:
    return DocumentResult(
        task_id=str(task.id),
        filename=task.filename,
        options=task.options,
        num_pages=task.num_pages or 0,
        queued_at=task.queued_at,
        started_at=task.started_at,
    )


def _page(row: PageRow) -> DocumentPage:
    return DocumentPage(
        page_number=row.page_number,
        status=row.status,
        reason=row.reason,
        reason_code=row.reason_code,
        mode=row.mode,
        markdown=row.markdown or "",
        text=row.text or "",
        attempts=row.raw_attempts,
        blocks=row.blocks,
        width=row.width,
        height=row.height,
        usage=row.usage,
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_ms=row.duration_ms,
    )


def _num_figures(row: PageRow) -> int:
    """At most so many pictures were cut from the page: one for each box of a figure."""
    figures = (block for block in row.blocks if block["label"] in FIGURE_LABELS)
    return min(sum(len(block["boxes"]) for block in figures), MAX_FIGURES)


def _block_json(block: Block) -> dict[str, Any]:
    """As the answer to an image has it. `box` is around all `boxes`: left, top, right, bottom."""
    return {
        "label": block.label,
        "text": to_plain_text([block]),
        "markdown": to_markdown([block]),
        "box": _corners(block.box) if block.box else None,
        "boxes": [_corners(box) for box in block.boxes],
    }


def _corners(box: BoundingBox) -> list[int]:
    return [box.x0, box.y0, box.x1, box.y1]
