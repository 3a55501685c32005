"""Tasks of one page that are stored when they have ended: nobody has to work on them any more."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db.pages import finished_values
from folio.db.records import EndedTask, PageStatus, duration_ms
from folio.db.tables import PageRow, TaskRow


async def add_ended(session: AsyncSession, tasks: Sequence[EndedTask]) -> None:
    """Within the caller's transaction. As plain rows: nobody looks at them as objects."""
    await session.execute(insert(TaskRow), list(map(_task_values, tasks)))
    await session.execute(insert(PageRow), list(map(_page_values, tasks)))


def _task_values(task: EndedTask) -> dict[str, Any]:
    error, page = task.error, task.page
    return dict(
        **asdict(task.new),
        status=task.status,
        enqueued_at=task.new.queued_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
        duration_ms=duration_ms(task.new.queued_at, task.finished_at),
        num_pages=1,
        pages_done=int(page is not None),
        pages_failed=int(page is not None and page.status is PageStatus.FAILED),
        error_code=error and error.code,
        error_message=error and error.message,
        error_page_number=error and error.page_number,
        error_values=error and error.values,
    )


def _page_values(task: EndedTask) -> dict[str, Any]:
    task_id = task.new.id
    if task.page is None:
        return {"task_id": task_id, "page_number": 1, "status": PageStatus.PENDING}
    return {"task_id": task_id, "page_number": 1, "num_claims": 1, **finished_values(task.page)}
