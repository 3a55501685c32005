"""The ids of what is being worked on: they follow the work into its asyncio tasks and threads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[Mapping[str, str | int]] = ContextVar("ids", default={})  # noqa: B039


def current_ids() -> Mapping[str, str | int]:
    """request_id, task_id, page_number: those that are known here."""
    return _ids.get()


@contextmanager
def working_on(**ids: str | int) -> Iterator[None]:
    """Inside, these ids are known besides those that are already."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)
