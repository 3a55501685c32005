"""The child process that opens hostile files, so that the worker does not have to.

Started by RenderProcess. It lives under a limit on its address space, and an alarm that no
library catches ends it when a page takes too long. When the worker goes, so does the channel,
and with it this process.
"""

import importlib
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from folio.documents.channel import Channel, ChannelClosedError
from folio.documents.heap import keep_freed_memory
from folio.documents.rendering import PageRenderer, RendererName, RenderError, RenderLimits
from folio.documents.shared_pixels import SharedPixels
from folio.errors import FolioError
from folio.preprocessing.density import measure_writing

# Where cores are few, drawing the pages to come must not delay answers to who waits now.
_NICENESS = 5

# Imported when first needed: each takes a tenth of a second and 20 MB.
_RENDERERS = {
    RendererName.MUPDF: ("folio.documents.mupdf", "MupdfRenderer"),
    RendererName.PDFIUM: ("folio.documents.pdfium", "PdfiumRenderer"),
    RendererName.FRAMES: ("folio.documents.multi_frame", "FrameRenderer"),
}


@dataclass(frozen=True)
class ChildArguments:
    """What the parent says at the start, as JSON on the command line."""

    channel_descriptor: int
    pixels_descriptor: int
    num_slots: int
    limits: RenderLimits


class RenderServer:
    """Answers one message after the other."""

    def __init__(self, limits: RenderLimits, pixels: SharedPixels) -> None:
        self._limits = limits
        self._pixels = pixels
        self._path: Path | None = None
        self._open: dict[RendererName, PageRenderer] = {}

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message with a page number renders that page; without one, it opens the document."""
        name = RendererName(message["renderer"])
        if "page_number" not in message:
            self._close_all()  # the file may be another one under the same name
        try:
            renderer = self._renderer(Path(message["path"]), name)
            if "page_number" not in message:
                return {"num_pages": renderer.num_pages, "is_repaired": renderer.is_repaired}
            page = renderer.render_page(message["page_number"], dpi=message["dpi"])
            writing = asdict(measure_writing(page)) if message["measures_writing"] else None
        except FolioError as error:
            return {"code": error.code, "reason": error.message}
        except RenderError as error:
            return {"reason": str(error)}
        except MemoryError:
            return {"out_of_memory": True}
        except ModuleNotFoundError as error:
            if error.name != "pymupdf":  # a part of it: memory is short
                raise
            return {"reason": f"{name} is not installed"}  # for its licence's sake
        self._pixels.write(message["slot"], page)
        return {"height": page.shape[0], "width": page.shape[1], "writing": writing}

    def _renderer(self, path: Path, name: RendererName) -> PageRenderer:
        if path != self._path:
            self._close_all()
            self._path = path
        if name not in self._open:
            self._open[name] = _load_renderer(name)(path, self._limits)
        return self._open[name]

    def _close_all(self) -> None:
        for renderer in self._open.values():
            renderer.close()
        self._open.clear()


def main(arguments: ChildArguments) -> None:
    """Serve until the parent goes."""
    _limit_process(arguments.limits)
    keep_freed_memory()
    pixels = SharedPixels(
        arguments.pixels_descriptor,
        num_slots=arguments.num_slots,
        slot_bytes=arguments.limits.max_page_bytes,
    )
    server = RenderServer(arguments.limits, pixels)
    channel = Channel.from_descriptor(arguments.channel_descriptor)
    with suppress(ChannelClosedError):
        while True:
            message = channel.receive()
            signal.setitimer(signal.ITIMER_REAL, arguments.limits.timeout_seconds)
            answer = server.answer(message)
            signal.setitimer(signal.ITIMER_REAL, 0)
            channel.send(answer)


def _limit_process(limits: RenderLimits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.max_memory_bytes, limits.max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, who then ends us
    with suppress(OSError):  # where memory runs out all the same, the kernel takes us first
        Path("/proc/self/oom_score_adj").write_text("1000")


def _load_renderer(name: RendererName) -> type[Any]:
    module, renderer = _RENDERERS[name]
    return cast(type[Any], getattr(importlib.import_module(module), renderer))


if __name__ == "__main__":
    raw = json.loads(sys.argv[1])
    main(ChildArguments(**{**raw, "limits": RenderLimits(**raw["limits"])}))
