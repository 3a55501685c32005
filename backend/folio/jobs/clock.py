"""The time, as the database keeps it."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
