"""A read page in pictures: its figures cut out, and the page with its boxes drawn. JPEGs."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from folio.jobs.boxes import draw_boxes
from folio.jobs.keys import boxed_page_key, figure_key, task_folder
from folio.pipeline.markdown import figure_boxes
from folio.pipeline.results import Block, BoundingBox, PageResult
from folio.storage import Storage

MAX_FIGURES = 100  # of a page; a model that loops would cut thousands
_LEAST_FIGURE_SIDE = 4  # pixels; anything less shows nothing
_FIGURE_QUALITY, _PAGE_QUALITY = 85, 80


@dataclass(frozen=True)
class Pictures:
    """JPEGs. A figure's number is its place in the page's reading order, 1-based."""

    figures: Mapping[int, bytes]
    boxed_page: bytes


async def store_pictures(
    storage: Storage,
    task_id: UUID,
    page_number: int,
    pixels: NDArray[np.uint8],
    page: PageResult,
    *,
    turns: asyncio.Semaphore,
) -> Mapping[BoundingBox, str]:
    """Cut and draw in a thread when it is our turn, store, and say for each figure's box how a
    document beside the pictures links to it.

    pixels: uint8 (height, width, 3), those that the page was read from. Raises
    StorageUnavailableError.
    """
    async with turns:
        pictures = await asyncio.to_thread(make_pictures, pixels, page.blocks)
    boxes = figure_boxes(page.blocks)
    links: dict[BoundingBox, str] = {}
    for number, picture in pictures.figures.items():
        key = figure_key(task_id, page_number, number)
        await storage.write_bytes(key, picture)
        links[boxes[number - 1]] = key.removeprefix(f"{task_folder(task_id)}/")
    await storage.write_bytes(boxed_page_key(task_id, page_number), pictures.boxed_page)
    return links


def make_pictures(pixels: NDArray[np.uint8], blocks: Sequence[Block]) -> Pictures:
    """The same bytes for the same page. Figures that lie off the page are left out."""
    figures: dict[int, bytes] = {}
    for number, box in enumerate(figure_boxes(blocks)[:MAX_FIGURES], start=1):
        figure = cut_out(pixels, box)
        if figure is not None:
            figures[number] = _to_jpeg(figure, _FIGURE_QUALITY)
    page = pixels.copy()
    draw_boxes(page, blocks)
    return Pictures(figures, _to_jpeg(page, _PAGE_QUALITY))


def cut_out(pixels: NDArray[np.uint8], box: BoundingBox) -> NDArray[np.uint8] | None:
    """What lies in the box, as far as it is on the page; None where that is next to nothing."""
    height, width, _ = pixels.shape
    x0, y0 = max(box.x0, 0), max(box.y0, 0)
    x1, y1 = min(box.x1, width), min(box.y1, height)
    if min(x1 - x0, y1 - y0) < _LEAST_FIGURE_SIDE:
        return None
    return pixels[y0:y1, x0:x1]


def shrink(jpeg: bytes, width: int) -> bytes:
    """The picture at most so wide, as a JPEG; the same bytes where it is no wider."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        if picture.width <= width:
            return jpeg
        height = max(1, round(picture.height * width / picture.width))
        picture.draft("RGB", (width, height))  # decodes no more than that needs: 3 ms, not 15
        small = picture.resize((width, height), Image.Resampling.BICUBIC)
        return _to_jpeg(np.asarray(small), _PAGE_QUALITY)


def _to_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """By libjpeg-turbo, which other threads run beside; Pillow would want a copy first."""
    jpeg: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality, "RGB", colorsubsampling="420", fastdct=False
    )
    return jpeg
