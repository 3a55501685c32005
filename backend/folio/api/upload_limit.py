"""Refuses uploads beyond the limit, before and while they come in."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from folio.api.problems import folio_problem
from folio.errors import UploadTooLargeError

# Boundaries, part headers and the small fields that travel beside the file.
FORM_OVERHEAD_BYTES = 256 * 1024


class UploadLimit:
    """ASGI middleware. A body that says its length is refused unread, any other when it passes."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _content_length(scope) > self._max_bytes + FORM_OVERHEAD_BYTES:
            await self._refuse(scope, receive, send)
            return
        body = _CountedBody(receive, self._max_bytes + FORM_OVERHEAD_BYTES)

        async def send_unless_exceeded(message: Message) -> None:
            # What the route makes of the cut body is not what the user needs to read.
            if not body.exceeded:
                await send(message)

        await self._app(scope, body.receive, send_unless_exceeded)
        if body.exceeded:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UploadTooLargeError(
            f"The upload is larger than {self._max_bytes:,} bytes. "
            "Send a smaller file, or raise MAX_UPLOAD_BYTES."
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
