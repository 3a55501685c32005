"""Which requests run for which task, so that a task that is canceled stops them at once."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from folio.errors import RequestCanceledError

CANCELED = "The task was canceled while this page was read."

_MAX_REMEMBERED = 1000


def task_id_of(request_id: str) -> str:
    """The task that a request belongs to. Ids of document pages are "task:page_number:rung"."""
    return request_id.partition(":")[0]


def ids_of(request_id: str) -> dict[str, str | int]:
    """The same for the log: the task's id, and where there is one the page's number."""
    task_id, _, rest = request_id.partition(":")
    number = rest.partition(":")[0]
    return {"task_id": task_id, **({"page_number": int(number)} if number.isdigit() else {})}


@dataclass(eq=False)
class _Request:
    work: asyncio.Task[object]
    is_canceled: bool = False


class RunningRequests:
    """The requests of one process, on one event loop.

    It remembers the tasks that were canceled last: a page of one may be on its way here.
    """

    def __init__(self) -> None:
        self._requests: dict[str, set[_Request]] = {}
        self._canceled: deque[str] = deque(maxlen=_MAX_REMEMBERED)

    def count(self, task_id: str) -> int:
        """How many requests of the task are running."""
        return len(self._requests.get(task_id, ()))

    @contextmanager
    def track(self, task_id: str) -> Iterator[None]:
        """Make what is done inside cancellable. Raises RequestCanceledError once it was canceled.

        For use in an asyncio task: cancel() cancels the task, and nothing after the block.
        """
        if task_id in self._canceled:
            raise RequestCanceledError(CANCELED)
        work = asyncio.current_task()
        assert work is not None
        num_cancels = work.cancelling()
        request = _Request(work)
        self._requests.setdefault(task_id, set()).add(request)
        try:
            yield
        except asyncio.CancelledError:
            # Somebody else may have cancelled the task as well: then it is not ours to go on.
            if request.is_canceled and work.uncancel() <= num_cancels:
                raise RequestCanceledError(CANCELED) from None
            raise
        finally:
            self._forget(task_id, request)

    def cancel(self, task_id: str) -> int:
        """Stop all requests of the task, those to come too; how many there were that had not been
        stopped before."""
        self._canceled.append(task_id)
        requests = [each for each in self._requests.get(task_id, ()) if not each.is_canceled]
        for request in requests:
            request.is_canceled = True
            request.work.cancel()
        return len(requests)

    def _forget(self, task_id: str, request: _Request) -> None:
        requests = self._requests[task_id]
        requests.discard(request)
        if not requests:
            del self._requests[task_id]
