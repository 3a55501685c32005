"""Tells watchers of tasks when these change, with one query for all of them.

However many clients watch, the database is asked for the tasks in question a few times a second;
an outage is waited out, and the watchers hear of the state after it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from uuid import UUID

from folio.db import Database, TaskRepository, TaskRow
from folio.db.records import UNFINISHED
from folio.errors import StorageUnavailableError, TaskNotFoundError
from folio.jobs.clock import now
from folio.jobs.progress import Estimate, Sample, estimate, keep_recent

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
_MAX_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class TaskProgress:
    """A task as it was at some moment, and how fast it went then."""

    task: TaskRow
    estimate: Estimate

    @property
    def is_last(self) -> bool:
        return self.task.status not in UNFINISHED


@dataclass
class _Topic:
    """A watched task. `latest` is None once the task was deleted."""

    latest: TaskProgress | None
    samples: list[Sample]
    num_watchers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, task: TaskRow | None) -> None:
        if task and self.latest and _state(task) == _state(self.latest.task):
            return
        if task is None:
            self.latest = None
        else:
            self.samples = keep_recent([*self.samples, Sample(now(), task.pages_done)])
            self.latest = TaskProgress(task, estimate(self.samples, task.num_pages))
        self.wake()

    def wake(self) -> None:
        """Each event is news once: those who come later wait for the next one."""
        self.news.set()
        self.news = asyncio.Event()


class ProgressFeed:
    """One per process. The polling runs while somebody watches."""

    def __init__(self, database: Database, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._topics: dict[UUID, _Topic] = {}
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def num_watchers(self) -> int:
        return sum(topic.num_watchers for topic in self._topics.values())

    async def watch(self, task: TaskRow) -> AsyncGenerator[TaskProgress, None]:
        """What the task is now, then each change, until it has ended.

        Ends without a last state when the feed is closed. Raises TaskNotFoundError when the task
        is deleted meanwhile.
        """
        topic = self._join(task)
        try:
            while not self._is_closed:
                if topic.latest is None:
                    raise TaskNotFoundError("The task was deleted.")
                progress, news = topic.latest, topic.news
                yield progress
                if progress.is_last:
                    return
                await news.wait()
        finally:
            self._leave(task.id, topic)

    async def close(self) -> None:
        """End all watches now: they would keep the service from stopping."""
        self._is_closed = True
        for topic in list(self._topics.values()):
            topic.wake()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    def _join(self, task: TaskRow) -> _Topic:
        topic = self._topics.get(task.id)
        if topic is None:
            topic = self._topics[task.id] = _open_topic(task)
        topic.num_watchers += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name="Progress feed")
        return topic

    def _leave(self, task_id: UUID, topic: _Topic) -> None:
        topic.num_watchers -= 1
        if topic.num_watchers == 0 and self._topics.get(task_id) is topic:
            del self._topics[task_id]

    async def _poll(self) -> None:
        pause = self._poll_seconds
        while self._topics:
            await asyncio.sleep(pause)
            try:
                await self._look()
            except StorageUnavailableError as error:
                if pause == self._poll_seconds:
                    log.warning("Watched tasks cannot be looked up: %s", error.message)
                pause = min(2 * pause, _MAX_POLL_SECONDS)
            else:
                pause = self._poll_seconds

    async def _look(self) -> None:
        watched = dict(self._topics)
        async with self._database.reading() as session:
            tasks = await TaskRepository(session).get_many(watched)
        for task_id, topic in watched.items():
            topic.update(tasks.get(task_id))


def _open_topic(task: TaskRow) -> _Topic:
    """A task that runs already has an average speed, until its own of now is seen."""
    samples = [Sample(task.started_at, 0)] if task.started_at else []
    if not task.started_at or task.pages_done:
        samples.append(Sample(now(), task.pages_done))
    return _Topic(TaskProgress(task, estimate(samples, task.num_pages)), samples)


def _state(task: TaskRow) -> tuple[object, ...]:
    """What watchers are told of."""
    return task.status, task.num_pages, task.pages_done, task.pages_failed
