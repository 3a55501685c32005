"""Bytes of uploads and results, by key. Knows nothing of tasks, documents or the database."""

from folio.storage.base import Storage
from folio.storage.local import LocalStorage

__all__ = ["LocalStorage", "Storage"]
