"""What came of looking at one thing."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """`warning` works, though not as one may think; `failure` does not work."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Check:
    """name: what was looked at. advice: what to do, where it is not ok."""

    name: str
    status: Status
    detail: str
    advice: str | None = None


def ok(name: str, detail: str) -> Check:
    return Check(name, Status.OK, detail)


def warning(name: str, detail: str, advice: str) -> Check:
    return Check(name, Status.WARNING, detail, advice)


def failure(name: str, detail: str, advice: str) -> Check:
    return Check(name, Status.FAILURE, detail, advice)
