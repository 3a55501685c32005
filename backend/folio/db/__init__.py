"""What must not be lost: tasks and pages, on Postgres or SQLite. Knows not what they mean."""

from folio.db.clock import read_clock
from folio.db.ended_tasks import add_ended
from folio.db.leases import LeaseRepository
from folio.db.pages import PageRepository
from folio.db.records import (
    Backlog,
    EndedTask,
    NewTask,
    PageOutcome,
    PageStatus,
    TaskError,
    TaskKind,
    TaskStatus,
)
from folio.db.session import Database
from folio.db.tables import PageRow, TaskRow
from folio.db.tasks import TaskRepository

__all__ = [
    "Backlog",
    "Database",
    "EndedTask",
    "LeaseRepository",
    "NewTask",
    "PageOutcome",
    "PageRepository",
    "PageRow",
    "PageStatus",
    "TaskError",
    "TaskKind",
    "TaskRepository",
    "TaskRow",
    "TaskStatus",
    "add_ended",
    "read_clock",
]
