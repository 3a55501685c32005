"""The Celery task: an id in, a call of the worker, done."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery import Celery

from folio.jobs.celery_app import ADVANCE
from folio.telemetry.tracing import following


def register_tasks(celery: Celery, advance: Callable[[UUID], None]) -> None:
    """`advance` takes a task on from where it stands. It may be called from several threads.

    Not shared: Celery would give this app's function to every later one of the process.
    """

    @celery.task(name=ADVANCE, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def run(task: Any, task_id: str) -> None:
        with following(task.request.headers or {}):
            advance(UUID(task_id))
