"""What the submitting side asks of the queue. Only ids travel; the database says what they mean."""

from typing import Protocol
from uuid import UUID


class JobQueue(Protocol):
    """Hands tasks to workers. A lost message loses nothing: the reaper enqueues stalled tasks."""

    async def enqueue(self, task_id: UUID) -> None:
        """Let a worker take the task on from where it stands. Call it after the commit.

        Never raises: a broker that is down is logged, and the reaper enqueues the task later.
        """

    async def ping(self) -> bool:
        """Whether the broker answers now."""
