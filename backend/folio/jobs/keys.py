"""Where a task's files lie in the storage: all in the folder of its id."""

import re
from enum import StrEnum
from uuid import UUID

_PICTURE = re.compile(r"images/page-\d{4,7}-figure-\d{1,6}\.jpg|pages/page-\d{4,7}\.jpg", re.ASCII)


class ResultKind(StrEnum):
    """The artefacts of a finished task, by file name extension."""

    MARKDOWN = "md"
    JSON = "json"
    ZIP = "zip"


def task_folder(task_id: UUID) -> str:
    return str(task_id)


def upload_key(task_id: UUID) -> str:
    """The document as the user gave it. Without a name: names are not to be trusted."""
    return f"{task_id}/upload"


def result_key(task_id: UUID, kind: ResultKind) -> str:
    return f"{task_id}/document.{kind}"


def boxed_page_key(task_id: UUID, page_number: int) -> str:
    """The page with its boxes drawn."""
    return f"{task_id}/pages/page-{page_number:04d}.jpg"


def figure_key(task_id: UUID, page_number: int, figure_number: int) -> str:
    """A figure cut from a page; both numbers are 1-based."""
    return f"{task_id}/images/page-{page_number:04d}-figure-{figure_number}.jpg"


def picture_key(task_id: UUID, folder: str, name: str) -> str | None:
    """The key of a picture by its name in the ZIP; None for anything else."""
    path = f"{folder}/{name}"
    return f"{task_id}/{path}" if _PICTURE.fullmatch(path) else None
