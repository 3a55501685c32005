"""Pages of an image file with several frames (TIFF). Runs in the child process."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from folio.documents.pixels import to_rgb
from folio.documents.rendering import RenderError, RenderLimits, choose_scale
from folio.errors import CorruptDocumentError

# What Pillow raises on broken TIFFs. MemoryError is none of them.
_BROKEN_FRAME_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    UserWarning,
    Image.DecompressionBombError,
)


class FrameRenderer:
    """See PageRenderer. A frame has its own pixels: `dpi` says nothing here."""

    is_repaired = False

    def __init__(self, path: Path, limits: RenderLimits) -> None:
        """Raises CorruptDocumentError."""
        self._limits = limits
        try:
            self._image = TiffImagePlugin.TiffImageFile(path)
            self.num_pages = self._image.n_frames
        except _BROKEN_FRAME_ERRORS as error:
            raise CorruptDocumentError(
                "The TIFF is damaged and does not open. Scan or export it again."
            ) from error

    def render_page(self, page_number: int, *, dpi: int) -> NDArray[np.uint8]:
        del dpi
        try:
            self._image.seek(page_number - 1)
            self._check_size()
            self._image.load()
            return np.asarray(self._fit())
        except _BROKEN_FRAME_ERRORS as error:
            raise RenderError(f"the frame is damaged: {error}") from error

    def close(self) -> None:
        self._image.close()

    def _check_size(self) -> None:
        num_pixels = self._image.width * self._image.height
        if num_pixels > self._limits.max_frame_pixels:
            raise RenderError(
                f"the frame has {num_pixels:,} pixels; at most {self._limits.max_frame_pixels:,} "
                "are decoded"
            )

    def _fit(self) -> Image.Image:
        """The frame in RGB, reduced to the pixel limits. Bilevel scans are reduced in grey."""
        width, height = self._image.size
        # 72 dpi: a pixel is a point, so that the scale is 1 unless a limit asks for less.
        scale = choose_scale(width, height, dpi=72, limits=self._limits)
        image: Image.Image = self._image.convert("L") if self._image.mode == "1" else self._image
        if scale == 1:
            return to_rgb(image)
        if image.mode != "L":
            image = to_rgb(image)
        return image.reduce(math.ceil(1 / scale)).convert("RGB")
