"""Where a page of a listing ends: an opaque word for clients, a position for us."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from folio.errors import InvalidInputError


@dataclass(frozen=True)
class Cursor:
    """The last task of a page of the listing."""

    queued_at: datetime
    task_id: UUID

    def encode(self) -> str:
        plain = f"{self.queued_at.isoformat()} {self.task_id.hex}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Raises InvalidInputError for anything that encode() did not make."""
        try:
            padded = text + "=" * (-len(text) % 4)
            queued_at, task_id = base64.urlsafe_b64decode(padded.encode()).decode().split(" ")
            instant = datetime.fromisoformat(queued_at)
            if instant.tzinfo is None:
                raise ValueError("an instant has a time zone")
            return cls(instant, UUID(task_id))
        except (ValueError, OverflowError, binascii.Error) as error:
            raise InvalidInputError(
                "cursor is not one that the listing gave. Leave it out to start with the newest."
            ) from error
