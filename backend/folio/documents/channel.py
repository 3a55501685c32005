"""What the worker and its rendering child say to each other: JSON, a line each, over a socket.

No pickle: a child that a hostile file has taken over must not be able to run code in the worker.
"""

import json
import socket
from typing import Any, Self

_MAX_LINE_BYTES = 64 * 1024


class ChannelClosedError(Exception):
    """The other side has gone, is silent for too long, or does not speak as agreed."""


class Channel:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lines = end.makefile("rb")

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Self:
        """The end that a parent process left open for us."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, message: dict[str, Any]) -> None:
        """Raises ChannelClosedError."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise ChannelClosedError from error

    def receive(self, timeout_seconds: float | None = None) -> dict[str, Any]:
        """The next message. After an error the channel is of no use any more.

        Raises ChannelClosedError.
        """
        self._socket.settimeout(timeout_seconds)
        try:
            line = self._lines.readline(_MAX_LINE_BYTES)
            message = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise ChannelClosedError from error
        if not isinstance(message, dict):
            raise ChannelClosedError
        return message

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
