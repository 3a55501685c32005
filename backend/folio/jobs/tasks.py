"""The Celery task: an id in, a call of the worker, done."""

from collections.abc import Callable
from uuid import UUID

from celery import Celery

from folio.jobs.celery_app import ADVANCE


def register_tasks(celery: Celery, advance: Callable[[UUID], None]) -> None:
    """`advance` takes a task on from where it stands. It may be called from several threads.

    Not shared: Celery would give this app's function to every later one of the process.
    """

    @celery.task(name=ADVANCE, shared=False)  # type: ignore[untyped-decorator]
    def run(task_id: str) -> None:
        advance(UUID(task_id))
