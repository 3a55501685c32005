"""Columns that hold the same on Postgres and on SQLite."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. SQLite forgets time zones, so everything goes in and comes out in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant has a time zone"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text of any origin. Postgres refuses NUL, and UTF-8 half a surrogate pair."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        return None if value is None else make_storable(value)


class StorableJson(TypeDecorator[Any]):
    """JSON (JSONB on Postgres) whose strings are storable as text."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def process_bind_param(self, value: Any, _: Dialect) -> Any:
        return _make_json_storable(value)


def word_of(values: type[StrEnum]) -> Enum:
    """A short string out of these, checked by Python: a new word needs no migration."""
    return Enum(
        values,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def make_storable(text: str) -> str:
    """What no database can store becomes the replacement character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _make_json_storable(value: Any) -> Any:
    if isinstance(value, str):
        return make_storable(value)
    if isinstance(value, dict):
        return {make_storable(key): _make_json_storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_make_json_storable(item) for item in value]
    return value
