"""The worker's side of the rendering child: starts it, asks it for pages, outlives it.

Plain synchronous code, for one caller at a time: callers on an event loop run it in a thread.
A child stays warm from document to document (starting one takes about 0.2 s).
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from folio.documents.channel import Channel, ChannelClosedError
from folio.documents.rendering import MEBIBYTE, RendererName, RenderError, RenderLimits
from folio.documents.shared_pixels import SharedPixels
from folio.errors import CorruptDocumentError, EncryptedDocumentError, FolioError
from folio.preprocessing.density import Writing

_NUM_SLOTS = 2  # one page is copied out while the next is drawn
_GRACE_SECONDS = 5.0  # the child's own alarm comes first
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_CHILD_MODULE = "folio.documents.render_child"
_ERRORS_BY_CODE: dict[str, type[FolioError]] = {
    error.code: error for error in (CorruptDocumentError, EncryptedDocumentError)
}


@dataclass(frozen=True)
class PageJob:
    """One attempt at one page. `page_number` is 1-based. `measures_writing`: see DrawnPage."""

    path: Path
    page_number: int
    renderer: RendererName
    dpi: int
    measures_writing: bool = False


@dataclass(frozen=True)
class DrawnPage:
    """pixels: uint8 (height, width, 3), RGB. `writing`: measured by the child, if asked to.

    Measuring is many small steps, for which the threads of the worker would wait for each other.
    """

    pixels: NDArray[np.uint8]
    writing: Writing | None


@dataclass(frozen=True)
class DocumentFacts:
    """What a renderer says of a document. `is_repaired`: pages may be missing from the file."""

    num_pages: int
    is_repaired: bool


class RenderProcess:
    """Renders pages in a child process that may crash, hang or run out of memory."""

    def __init__(self, limits: RenderLimits | None = None) -> None:
        self.limits = limits or RenderLimits()
        self._pixels: SharedPixels | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._is_killed = False
        self._channel: Channel | None = None
        self._asked: deque[tuple[PageJob, int]] = deque()
        self._answered: dict[PageJob, tuple[dict[str, Any], int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the child ahead of its first document. No-op while it runs.

        Raises RenderError after kill().
        """
        if self._child is not None:
            return
        if self._is_killed:
            raise RenderError("the worker is shutting down")
        if self._pixels is None:
            self._pixels = SharedPixels.create(
                num_slots=_NUM_SLOTS, slot_bytes=self.limits.max_page_bytes
            )
        ours, its = socket.socketpair()
        with its:
            self._child = _start_child(its.fileno(), self._pixels.descriptor, self.limits)
        self._channel = Channel(ours)

    def describe(self, path: Path, renderer: RendererName) -> DocumentFacts:
        """Open the document.

        Raises CorruptDocumentError (also where opening it takes too long, too much memory or the
        child's life), EncryptedDocumentError.
        """
        self._forget_all_but(())
        try:
            self._send({"path": str(path), "renderer": renderer})
            answer = self._receive()
            self._raise_reason(answer)
            return DocumentFacts(int(answer["num_pages"]), bool(answer["is_repaired"]))
        except RenderError as error:
            raise CorruptDocumentError(
                f"The document does not open: {error}. Export or download it again."
            ) from error

    def render(self, job: PageJob, *, following: PageJob | None = None) -> DrawnPage:
        """The page. `following` is drawn meanwhile.

        Raises RenderError.
        """
        self._forget_all_but((job, following))
        self._ask(job)
        if following is not None:
            self._ask(following)
        answer, slot = self._answer_to(job)
        self._raise_reason(answer)
        return self._read_page(answer, slot)

    def kill(self) -> None:
        """End the child at once: no page is rendered until close(). Any thread may call it."""
        self._is_killed = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child and free the shared memory. The process can be used again afterwards."""
        self._end_child()
        self._is_killed = False
        if self._pixels is not None:
            self._pixels.close()
            self._pixels = None

    def _ask(self, job: PageJob) -> None:
        if job in self._answered or any(asked == job for asked, _ in self._asked):
            return
        slot = self._free_slot()
        message = {**asdict(job), "path": str(job.path), "slot": slot}
        try:
            self._send(message)
        except RenderError:  # it died between two pages, which is not this page's fault
            self._send(message)
        self._asked.append((job, slot))

    def _free_slot(self) -> int:
        taken = {slot for _, slot in self._asked} | {slot for _, slot in self._answered.values()}
        return next(slot for slot in range(_NUM_SLOTS) if slot not in taken)

    def _answer_to(self, job: PageJob) -> tuple[dict[str, Any], int]:
        while job not in self._answered:
            self._ask(job)  # again, where the child died after it was asked
            answer = self._receive()
            asked, slot = self._asked.popleft()
            self._answered[asked] = (answer, slot)
        return self._answered.pop(job)

    def _forget_all_but(self, jobs: tuple[PageJob | None, ...]) -> None:
        """Take in what was asked for and is not wanted any more."""
        while any(asked not in jobs for asked, _ in self._asked):
            try:
                answer = self._receive()
            except RenderError:
                break
            asked, slot = self._asked.popleft()
            self._answered[asked] = (answer, slot)
        for job in [job for job in self._answered if job not in jobs]:
            del self._answered[job]

    def _read_page(self, answer: dict[str, Any], slot: int) -> DrawnPage:
        assert self._pixels is not None, "a child that answers was started"
        try:
            height, width = int(answer["height"]), int(answer["width"])
            writing = _read_writing(answer)
            return DrawnPage(self._pixels.read(slot, height=height, width=width), writing)
        except (KeyError, TypeError, ValueError) as error:
            self._end_child()
            raise RenderError("the renderer gave no page") from error

    def _raise_reason(self, answer: dict[str, Any]) -> None:
        """Raises what the child says went wrong, if anything did."""
        if answer.get("out_of_memory"):
            self._end_child()  # what is left of its memory is in pieces
            limit = self.limits.max_memory_bytes // MEBIBYTE
            raise RenderError(f"it needs more than {limit:,} MiB of memory to render")
        if "reason" in answer:
            error = _ERRORS_BY_CODE.get(str(answer.get("code")), RenderError)
            raise error(str(answer["reason"]))

    def _send(self, message: dict[str, Any]) -> None:
        self.start()
        assert self._channel is not None, "start() opens it"
        try:
            self._channel.send(message)
        except ChannelClosedError as error:
            raise RenderError(self._bury()) from error

    def _receive(self) -> dict[str, Any]:
        assert self._channel is not None, "only asked for after a message was sent"
        try:
            return self._channel.receive(self.limits.timeout_seconds + _GRACE_SECONDS)
        except ChannelClosedError as error:
            raise RenderError(self._bury()) from error

    def _bury(self) -> str:
        """End a child that answers no more. Gives the reason."""
        ended_by = self._end_child()
        if ended_by == -signal.SIGALRM or ended_by is None:
            return f"it takes longer than {self.limits.timeout_seconds:g} seconds to render"
        return f"the renderer crashed on it (exit status {ended_by})"

    def _end_child(self) -> int | None:
        """Gives its exit status, or None where it had to be killed."""
        child, channel = self._child, self._channel
        self._child = self._channel = None
        self._asked.clear()
        self._answered.clear()
        if channel is not None:
            channel.close()
        return None if child is None else _wait_or_kill(child)


def _read_writing(answer: dict[str, Any]) -> Writing | None:
    """Raises KeyError, TypeError, ValueError."""
    writing = answer.get("writing")
    if writing is None:
        return None
    return Writing(float(writing["letter_height"]), int(writing["num_characters"]))


def _start_child(
    channel_descriptor: int, pixels_descriptor: int, limits: RenderLimits
) -> subprocess.Popen[bytes]:
    arguments = {
        "channel_descriptor": channel_descriptor,
        "pixels_descriptor": pixels_descriptor,
        "num_slots": _NUM_SLOTS,
        "limits": asdict(limits),
    }
    # Passwords and tokens stay out of the environment of the process that opens hostile files.
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Each thread of OpenBLAS would take its share of the address space.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-m", _CHILD_MODULE, json.dumps(arguments)],
        pass_fds=(channel_descriptor, pixels_descriptor),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def _wait_or_kill(child: subprocess.Popen[bytes]) -> int | None:
    """A child whose channel has closed ends by itself, unless it is deep inside a page."""
    try:
        return child.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None
