"""From rows of tasks and pages to wire shapes."""

from folio.api.schemas import (
    BlockSchema,
    ImageSize,
    PageSchema,
    ProgressSchema,
    ResultLinks,
    TaskErrorSchema,
    TaskProgressEvent,
    TaskStatusResponse,
    TimingSchema,
)
from folio.db import PageRow, TaskRow, TaskStatus
from folio.jobs.progress import percent_done
from folio.jobs.progress_feed import TaskProgress


def task_status_response(task: TaskRow) -> TaskStatusResponse:
    return TaskStatusResponse(
        task_id=task.id,
        kind=task.kind,
        filename=task.filename,
        status=task.status,
        progress=_progress(task),
        timing=TimingSchema(
            queued_at=task.queued_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            duration_ms=task.duration_ms,
        ),
        result=_result_links(task) if task.status is TaskStatus.SUCCEEDED else None,
        error=_error(task),
    )


def task_progress_event(progress: TaskProgress) -> TaskProgressEvent:
    estimate = progress.estimate
    return TaskProgressEvent(
        **task_status_response(progress.task).model_dump(),
        pages_per_second=_rounded(estimate.pages_per_second),
        eta_seconds=0.0 if progress.is_last else _rounded(estimate.eta_seconds),
    )


def page_schema(page: PageRow, *, has_image: bool) -> PageSchema:
    return PageSchema(
        page_number=page.page_number,
        status=page.status.value,
        reason=page.reason,
        reason_code=page.reason_code,
        markdown=page.markdown,
        text=page.text,
        blocks=[BlockSchema.model_validate(block) for block in page.blocks],
        image=ImageSize(width=page.width, height=page.height) if page.width else None,
        mode=page.mode,
        duration_ms=page.duration_ms,
        image_url=f"{task_path(page.task_id)}/pages/{page.page_number}/image"
        if has_image
        else None,
    )


def task_path(task_id: object) -> str:
    return f"/api/tasks/{task_id}"


def _progress(task: TaskRow) -> ProgressSchema:
    return ProgressSchema(
        num_pages=task.num_pages,
        pages_done=task.pages_done,
        pages_failed=task.pages_failed,
        percent=percent_done(task.pages_done, task.num_pages),
        message=progress_message(task),
    )


def progress_message(task: TaskRow) -> str:
    """A few words for people."""
    pages = f"{task.num_pages} page{'' if task.num_pages == 1 else 's'}"
    match task.status:
        case TaskStatus.QUEUED:
            return "waiting for a worker"
        case TaskStatus.RUNNING if task.num_pages and task.pages_done >= task.num_pages:
            return "writing the results"
        case TaskStatus.RUNNING:
            return f"page {task.pages_done + 1} of {task.num_pages}"
        case TaskStatus.SUCCEEDED if task.pages_failed:
            return f"done, {task.pages_failed} of {pages} failed"
        case TaskStatus.SUCCEEDED:
            return f"done, {pages}"
        case TaskStatus.CANCELED if task.num_pages:
            return f"canceled after {task.pages_done} of {pages}"
    return str(task.status)


def _result_links(task: TaskRow) -> ResultLinks:
    base = f"{task_path(task.id)}/result"
    return ResultLinks(markdown_url=f"{base}.md", json_url=f"{base}.json", zip_url=f"{base}.zip")


def _error(task: TaskRow) -> TaskErrorSchema | None:
    if task.error_code is None:
        return None
    return TaskErrorSchema(
        code=task.error_code,
        message=task.error_message or "",
        page_number=task.error_page_number,
        values=task.error_values or {},
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
