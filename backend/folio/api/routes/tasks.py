"""/api/tasks: look tasks up, watch them, fetch their results, cancel and delete them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from folio.api import event_stream
from folio.api.deps import JobServiceDep
from folio.api.downloads import picture, result_download, shrunk_picture
from folio.api.problems import folio_problem, problems
from folio.api.schemas import TaskListResponse, TaskPagesResponse, TaskStatusResponse
from folio.api.task_rendering import page_schema, task_progress_event, task_status_response
from folio.db import TaskKind, TaskRow, TaskStatus
from folio.errors import StoredFileNotFoundError, TaskNotFoundError
from folio.jobs.keys import ResultKind, boxed_page_key, picture_key
from folio.jobs.service import JobService

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

_END = "end"


async def parse_task_id(
    task_id: Annotated[str, Path(description="the `task_id` that the submission answered with")],
) -> UUID:
    """Raises TaskNotFoundError: what is no id of a task is the id of no task."""
    try:
        return UUID(task_id)
    except ValueError as error:
        raise TaskNotFoundError(
            f"{task_id[:80]!r} is no id of a task. Use the task_id that the submission gave."
        ) from error


TaskId = Annotated[UUID, Depends(parse_task_id)]
PictureWidth = Annotated[
    int | None, Query(ge=16, le=4096, description="at most so many pixels wide")
]


@router.get("", responses=problems(400, 422, 503))
async def list_tasks(
    jobs: JobServiceDep,
    limit: Annotated[int, Query(ge=1, le=100, description="tasks in one answer")] = 20,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the answer before")] = None,
    status: Annotated[TaskStatus | None, Query(description="only tasks in this state")] = None,
) -> TaskListResponse:
    """All tasks, the newest first. Follow `next_cursor` until it is null: tasks that come in
    meanwhile shift nothing."""
    listing = await jobs.list_newest(limit=limit, cursor=cursor, status=status)
    return TaskListResponse(
        tasks=[task_status_response(task) for task in listing.tasks],
        next_cursor=listing.next_cursor,
    )


@router.get("/{task_id}", responses=problems(404, 422, 503))
async def get_task(task_id: TaskId, jobs: JobServiceDep) -> TaskStatusResponse:
    """The state of a task, its progress and, at its end, its results or why it failed."""
    return task_status_response(await jobs.get(task_id))


@router.delete(
    "/{task_id}",
    response_model=TaskStatusResponse,
    responses={
        200: {"description": "The task did not have its end; this is its state now: canceled"},
        204: {"description": "The task had ended; it is deleted, with its files"},
        **problems(404, 422, 503),
    },
)
async def cancel_or_delete_task(
    task_id: TaskId, jobs: JobServiceDep
) -> TaskStatusResponse | Response:
    """Cancel a task that is queued or runs: its pages are stopped in the engine, those that were
    read stay. Delete one that has ended, with its upload and results. To be rid of a running
    task altogether, call it twice."""
    task = await jobs.cancel_or_delete(task_id)
    return Response(status_code=204) if task is None else task_status_response(task)


@router.get(
    "/{task_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {event_stream.MEDIA_TYPE: {}}, "description": "A stream of events"},
        204: {"description": "To a reconnect after the end: there is nothing more to come"},
        **problems(404, 422, 503),
    },
)
async def watch_task(
    task_id: TaskId,
    jobs: JobServiceDep,
    last_event_id: Annotated[str | None, Header(description="sent by browsers")] = None,
) -> Response:
    """Server-sent events. `event: progress` comes at once and at each change: the task as
    `GET /api/tasks/{task_id}` gives it, with `pages_per_second` and `eta_seconds`. The last one
    is `event: end`, with the same data, or with a problem document where the task was deleted.
    Every event holds the whole state, so after a reconnect nothing is missing."""
    if last_event_id == _END:
        return Response(status_code=204)
    task = await jobs.get(task_id)  # while a 404 can still be answered
    return StreamingResponse(
        event_stream.with_keep_alive(_event_frames(jobs, task)),
        media_type=event_stream.MEDIA_TYPE,
        headers=event_stream.HEADERS,
    )


async def _event_frames(jobs: JobService, task: TaskRow) -> AsyncIterator[str]:
    try:
        async with aclosing(jobs.watch(task)) as changes:
            async for progress in changes:
                data = task_progress_event(progress).model_dump_json()
                if progress.is_last:
                    yield event_stream.frame("end", data, event_id=_END)
                else:
                    yield event_stream.frame("progress", data)
    except TaskNotFoundError as error:
        problem = bytes(folio_problem(error).body).decode()
        yield event_stream.frame("end", problem, event_id=_END)


@router.get("/{task_id}/pages", responses=problems(404, 422, 503))
async def list_pages(
    task_id: TaskId,
    jobs: JobServiceDep,
    after: Annotated[int, Query(ge=0, description="only pages behind this number")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="pages in one answer")] = 20,
) -> TaskPagesResponse:
    """The pages that are finished, also while others are read, and of canceled and failed tasks."""
    task = await jobs.get(task_id)
    has_images = task.kind is TaskKind.PDF  # of an image nothing is kept but what it says
    pages = await jobs.list_finished_pages(task_id, after=after, limit=limit + 1)
    shown = pages[:limit]
    return TaskPagesResponse(
        pages=[
            page_schema(page, has_image=has_images and page.width is not None) for page in shown
        ],
        next_after=shown[-1].page_number if len(pages) > limit else None,
    )


@router.get(
    "/{task_id}/pages/{page_number}/image",
    response_class=StreamingResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **problems(404, 422, 503)},
)
async def get_page_image(
    task_id: TaskId,
    page_number: Annotated[int, Path(ge=1, le=9_999_999)],
    jobs: JobServiceDep,
    width: PictureWidth = None,
) -> Response:
    """The page with its boxes drawn, as a JPEG; with `width`, a smaller one for a small place."""
    file = await jobs.open_file(task_id, boxed_page_key(task_id, page_number))
    return picture(file) if width is None else await shrunk_picture(file, width)


@router.get(
    "/{task_id}/files/{folder}/{name}",
    response_class=StreamingResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **problems(404, 422, 503)},
)
async def get_picture(
    task_id: TaskId, folder: str, name: str, jobs: JobServiceDep, width: PictureWidth = None
) -> Response:
    """A picture under the name that `document.md` links: `images/page-0003-figure-1.jpg`, or
    `pages/page-0003.jpg`; with `width`, a smaller one for a small place."""
    key = picture_key(task_id, folder, name)
    if key is None:
        raise StoredFileNotFoundError(
            "There is no such file. Pictures are at images/page-0003-figure-1.jpg and "
            "pages/page-0003.jpg."
        )
    file = await jobs.open_file(task_id, key)
    return picture(file) if width is None else await shrunk_picture(file, width)


def _add_result_route(kind: ResultKind, media_type: str, what: str) -> None:
    @router.get(
        f"/{{task_id}}/result.{kind}",
        name=f"get_result_{kind}",
        description=f"{what} 409 before the end, and for a task that has no result.",
        response_class=StreamingResponse,
        responses={200: {"content": {media_type: {}}}, **problems(404, 409, 422, 503)},
    )
    async def get_result(task_id: TaskId, jobs: JobServiceDep) -> StreamingResponse:
        task, file = await jobs.open_result(task_id, kind)
        return result_download(file, task.filename, kind)


_add_result_route(
    ResultKind.MARKDOWN, "text/markdown", "The document in Markdown, pages parted by comments."
)
_add_result_route(
    ResultKind.JSON, "application/json", "Every page: status, Markdown, blocks, usage, timing."
)
_add_result_route(
    ResultKind.ZIP, "application/zip", "Markdown, JSON, figures, and pages with boxes drawn."
)
