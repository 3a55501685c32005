"""Server-sent events (the HTML standard's text/event-stream): framing, keep-alive, headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

KEEP_ALIVE_SECONDS = 15.0
MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}
RETRY_MS = 2000
_KEEP_ALIVE = ": keep-alive\n\n"


def frame(event: str, data: str, *, event_id: str | None = None) -> str:
    """One event. `data` is JSON on one line; a browser sends the id back when it reconnects."""
    lines = [f"event: {event}", f"data: {data}"]
    if event_id is not None:
        lines.insert(0, f"id: {event_id}")
    return "\n".join(lines) + "\n\n"


async def with_keep_alive(
    frames: AsyncIterator[str], *, seconds: float = KEEP_ALIVE_SECONDS
) -> AsyncIterator[str]:
    """The frames, and a comment whenever none came for so long, so that no proxy hangs up."""
    yield f"retry: {RETRY_MS}\n\n"
    following = asyncio.ensure_future(anext(frames, None))
    try:
        while True:
            done, _ = await asyncio.wait([following], timeout=seconds)
            if not done:
                yield _KEEP_ALIVE
                continue
            text = following.result()
            if text is None:
                return
            yield text
            following = asyncio.ensure_future(anext(frames, None))
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await following
