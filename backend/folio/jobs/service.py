"""Tasks as users see them: submitted, looked up, watched, canceled, deleted, and their results."""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from folio.db import (
    Backlog,
    Database,
    NewTask,
    PageRepository,
    PageRow,
    TaskKind,
    TaskRepository,
    TaskRow,
    TaskStatus,
    read_clock,
)
from folio.db.records import UNFINISHED
from folio.db.tasks import TaskListing
from folio.documents import sniff_document
from folio.documents.sniff import HEAD_BYTES
from folio.engine.running import RunningRequests
from folio.errors import (
    StorageUnavailableError,
    StoredFileNotFoundError,
    TaskAlreadyFinishedError,
    TaskNotFinishedError,
    TaskNotFoundError,
)
from folio.jobs.clock import now
from folio.jobs.filenames import tidy_filename
from folio.jobs.image_records import ImageRecord, ImageRecorder
from folio.jobs.keys import ResultKind, result_key, task_folder, upload_key
from folio.jobs.options import DocumentOptions
from folio.jobs.progress_feed import ProgressFeed, TaskProgress
from folio.jobs.queue import JobQueue
from folio.jobs.results import write_results
from folio.storage import Storage
from folio.telemetry.metrics import TASKS
from folio.telemetry.tracing import carrier

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredFile:
    """A file to be sent. `chunks` may be read once."""

    num_bytes: int
    chunks: AsyncIterator[bytes]


class JobService:
    """Each method is a unit of work of its own. All raise StorageUnavailableError."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        queue: JobQueue,
        running: RunningRequests | None = None,
    ) -> None:
        self._database = database
        self._storage = storage
        self._queue = queue
        self._running = running
        self._feed = ProgressFeed(database)
        self._images = ImageRecorder(database)

    async def submit_document(
        self, filename: str, chunks: AsyncIterable[bytes], options: DocumentOptions
    ) -> UUID:
        """Store the upload and queue a task for it.

        Raises InvalidInputError (empty file) and UnsupportedMediaTypeError by its first bytes;
        what else is wrong with the document is found when a worker opens it.
        """
        head, whole = await _split_head(chunks)
        sniff_document(head)
        task = NewTask(
            uuid4(),
            TaskKind.PDF,
            tidy_filename(filename),
            options.to_json(),
            queued_at=now(),
            trace=carrier() or None,
        )
        await self._storage.write(upload_key(task.id), whole)
        try:
            async with self._database.transaction() as session:
                TaskRepository(session).add(task, enqueued_at=await read_clock(session))
        except BaseException:  # nobody would ever delete it
            with suppress(StorageUnavailableError):
                await self._storage.delete_folder(task_folder(task.id))
            raise
        await self._queue.enqueue(task.id)
        return task.id

    async def get(self, task_id: UUID) -> TaskRow:
        """Raises TaskNotFoundError."""
        await self._images.wait_for(task_id)
        async with self._database.reading() as session:
            task = await TaskRepository(session).get(task_id)
        if task is None:
            raise TaskNotFoundError(
                f"There is no task {task_id}. It was deleted, or its time to be kept is over."
            )
        return task

    async def list_newest(
        self, *, limit: int, cursor: str | None = None, status: TaskStatus | None = None
    ) -> TaskListing:
        """Raises InvalidInputError for a cursor that is none of ours."""
        await self._images.wait_for_all()
        async with self._database.reading() as session:
            return await TaskRepository(session).list_newest(
                limit=limit, cursor=cursor, status=status
            )

    async def backlog(self) -> Backlog:
        """What is queued and running now."""
        async with self._database.reading() as session:
            return await TaskRepository(session).backlog()

    async def list_finished_pages(
        self, task_id: UUID, *, after: int, limit: int
    ) -> Sequence[PageRow]:
        """Pages that have their outcome, behind this number. Raises TaskNotFoundError."""
        await self.get(task_id)
        async with self._database.reading() as session:
            return await PageRepository(session).list_finished(task_id, after=after, limit=limit)

    async def cancel_or_delete(self, task_id: UUID) -> TaskRow | None:
        """Cancel a task that has not ended and give it; delete one that has, and give None.

        A task that ends just now, before it can be canceled, is given as it ended: who wanted
        to cancel it did not mean to delete its results. Raises TaskNotFoundError.
        """
        task = await self.get(task_id)
        if task.status in UNFINISHED:
            await self._cancel(task_id)
            return await self.get(task_id)
        await self._delete(task_id)
        return None

    async def watch(self, task: TaskRow) -> AsyncGenerator[TaskProgress, None]:
        """The task as get() gave it, each change, and its end. Raises TaskNotFoundError when it is
        deleted meanwhile. A short outage of the database is waited out."""
        async with aclosing(self._feed.watch(task)) as changes:
            async for progress in changes:
                yield progress

    async def open_result(self, task_id: UUID, kind: ResultKind) -> tuple[TaskRow, StoredFile]:
        """Raises TaskNotFoundError, TaskNotFinishedError; TaskAlreadyFinishedError where the task
        has ended without a result; StoredFileNotFoundError."""
        task = await self.get(task_id)
        _require_result(task)
        key = result_key(task_id, kind)
        if task.kind is TaskKind.IMAGE and await self._storage.size(key) is None:
            await self._write_image_results(task_id)
        return task, await self._open(key)

    async def open_file(self, task_id: UUID, key: str) -> StoredFile:
        """A picture that was stored while the task ran. Raises TaskNotFoundError,
        StoredFileNotFoundError."""
        await self.get(task_id)
        return await self._open(key)

    def record_image(self, record: ImageRecord) -> None:
        """Keep an image request as a task that has ended. Returns at once; a failure is logged."""
        self._images.record(record)

    @property
    def num_watchers(self) -> int:
        """Calls of watch() that have not ended."""
        return self._feed.num_watchers

    async def end_watches(self) -> None:
        """Let every watch() end: the service is about to stop."""
        await self._feed.close()

    async def close(self) -> None:
        """End the watches, and store what is still to be recorded."""
        await self._feed.close()
        await self._images.close()

    async def _cancel(self, task_id: UUID) -> None:
        # The database first: a worker that is told by its aborted request looks there.
        async with self._database.transaction() as session:
            is_canceled = await TaskRepository(session).finish(
                task_id, TaskStatus.CANCELED, now=now()
            )
        num_stopped = self._running.cancel(str(task_id)) if self._running and is_canceled else 0
        if is_canceled:
            TASKS.labels(TaskStatus.CANCELED, "").inc()
            log.info("Task %s was canceled, %s pages stopped", task_id, num_stopped)

    async def _delete(self, task_id: UUID) -> None:
        # Files first: a row that is left over by a crash still leads to them. What a worker
        # writes meanwhile for a task that was canceled, it deletes itself.
        await self._storage.delete_folder(task_folder(task_id))
        async with self._database.transaction() as session:
            await TaskRepository(session).delete(task_id)
        log.info("Task %s was deleted", task_id)

    async def _write_image_results(self, task_id: UUID) -> None:
        """Written when they are first asked for: most image results are never looked up."""
        await write_results(self._database, self._storage, task_id)
        try:
            await self.get(task_id)
        except TaskNotFoundError:
            await self._storage.delete_folder(task_folder(task_id))
            raise

    async def _open(self, key: str) -> StoredFile:
        num_bytes = await self._storage.size(key)
        if num_bytes is None:
            raise StoredFileNotFoundError(
                "This file is not there. It was deleted, or was never made for this task."
            )
        chunks = aiter(self._storage.read(key))
        # Opened now, while an error can still be answered as one.
        first = await anext(chunks, b"")
        return StoredFile(num_bytes, _chain(first, chunks))


def _require_result(task: TaskRow) -> None:
    if task.status in UNFINISHED:
        raise TaskNotFinishedError(
            f"The task is {task.status}: {task.pages_done} of {task.num_pages or 'its'} pages are "
            "done. Ask again when its status is succeeded."
        )
    if task.status is not TaskStatus.SUCCEEDED:
        why = f" ({task.error_message})" if task.error_message else ""
        raise TaskAlreadyFinishedError(
            f"The task was {task.status}{why}, so it has no result. The pages that were read are "
            f"at /api/tasks/{task.id}/pages."
        )


async def _split_head(chunks: AsyncIterable[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of the upload, and all of it."""
    source = aiter(chunks)
    head = b""
    while len(head) < HEAD_BYTES and (chunk := await anext(source, b"")):
        head += chunk
    return head[:HEAD_BYTES], _chain(head, source)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
