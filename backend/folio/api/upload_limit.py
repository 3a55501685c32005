"""Refuses uploads beyond the limit, before and while they come in."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from folio.api.problems import folio_problem
from folio.errors import UploadTooLargeError

# Boundaries, part headers and the small fields that travel beside the file.
FORM_OVERHEAD_BYTES = 256 * 1024


@dataclass(frozen=True)
class BodyLimit:
    """In bytes of the file, without the form around it; `setting` is the name to raise it by."""

    max_bytes: int
    setting: str

    @property
    def max_body_bytes(self) -> int:
        return self.max_bytes + FORM_OVERHEAD_BYTES


class UploadLimit:
    """ASGI middleware. A body that says its length is refused unread, any other when it passes.

    by_path: the limits of particular paths; all others have `default`.
    """

    def __init__(
        self, app: ASGIApp, *, default: BodyLimit, by_path: Mapping[str, BodyLimit] | None = None
    ) -> None:
        self._app = app
        self._default = default
        self._by_path = dict(by_path or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._by_path.get(scope["path"].rstrip("/"), self._default)
        if _content_length(scope) > limit.max_body_bytes:
            await _refuse(limit, scope, receive, send)
            return
        body = _CountedBody(receive, limit.max_body_bytes)

        async def send_unless_exceeded(message: Message) -> None:
            # What the route makes of the cut body is not what the user needs to read.
            if not body.exceeded:
                await send(message)

        await self._app(scope, body.receive, send_unless_exceeded)
        if body.exceeded:
            await _refuse(limit, scope, receive, send)


async def _refuse(limit: BodyLimit, scope: Scope, receive: Receive, send: Send) -> None:
    error = UploadTooLargeError(
        f"The upload is larger than {limit.max_bytes:,} bytes. "
        f"Send a smaller file, or raise {limit.setting}.",
        max_bytes=limit.max_bytes,
    )
    await folio_problem(error)(scope, receive, send)


class _CountedBody:
    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._left = max_bytes
        self.exceeded = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.exceeded = True
            return {"type": "http.disconnect"}
        return message


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
