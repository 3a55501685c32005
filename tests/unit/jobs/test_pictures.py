"""Figures cut from a page, and the page with its boxes drawn."""

import asyncio
import io
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from folio.jobs.boxes import TagPlaces, colour_of
from folio.jobs.keys import boxed_page_key, figure_key
from folio.jobs.pictures import MAX_FIGURES, make_pictures, shrink, store_pictures
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage
from folio.preprocessing.resolution import Mode
from folio.storage import LocalStorage

TASK_ID = UUID(int=5)
RED, WHITE = (220, 20, 20), (255, 255, 255)


def page_pixels(height: int = 600, width: int = 400) -> NDArray[np.uint8]:
    """A white page with a red picture from (100, 200) to (300, 400)."""
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[200:400, 100:300] = RED
    return pixels


def open_jpeg(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def is_near(colour: object, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(colour, dtype=int) - wanted).max() < 40)


def result_of(*blocks: Block) -> PageResult:
    return PageResult("", "", "", blocks, 400, 600, Mode.BASE, Usage(1, 1, 1), "stop")


def figure(x0: int, y0: int, x1: int, y1: int) -> Block:
    return Block("image", "", (BoundingBox(x0, y0, x1, y1),))


def test_a_figure_is_cut_out_of_the_page_as_it_was_before_boxes_were_drawn() -> None:
    pictures = make_pictures(page_pixels(), [figure(100, 200, 300, 400)])
    cut = open_jpeg(pictures.figures[1])
    assert cut.size == (200, 200)
    assert all(is_near(cut.getpixel(at), RED) for at in ((1, 1), (198, 198), (100, 1)))


def test_the_boxed_page_has_the_pages_size_and_an_outline_around_the_box() -> None:
    pictures = make_pictures(page_pixels(), [Block("table", "", (BoundingBox(20, 450, 380, 580),))])
    page = open_jpeg(pictures.boxed_page)
    assert page.size == (400, 600)
    assert is_near(page.getpixel((200, 449)), colour_of("table"))
    assert is_near(page.getpixel((200, 500)), WHITE)


def test_the_pixels_that_are_given_are_not_drawn_on() -> None:
    pixels = page_pixels()
    make_pictures(pixels, [figure(100, 200, 300, 400)])
    assert (pixels == page_pixels()).all()


def test_pixels_that_may_not_be_written_to_are_fine() -> None:
    pixels = page_pixels()
    pixels.setflags(write=False)
    assert make_pictures(pixels, [figure(100, 200, 300, 400)]).figures


def test_the_same_page_gives_the_same_bytes() -> None:
    blocks = [figure(100, 200, 300, 400), Block("title", "T", (BoundingBox(5, 5, 90, 30),))]
    assert make_pictures(page_pixels(), blocks) == make_pictures(page_pixels(), blocks)


def test_a_box_that_reaches_off_the_page_is_cut_at_its_edge() -> None:
    pictures = make_pictures(page_pixels(), [figure(-50, 500, 4000, 9000)])
    assert open_jpeg(pictures.figures[1]).size == (400, 100)


@pytest.mark.parametrize(
    "corners",
    [(500, 700, 600, 800), (-90, -90, -10, -10), (10, 10, 11, 90), (50, 50, 20, 20)],
    ids=["right of it", "left of it", "a hairline", "inside out"],
)
def test_a_figure_that_shows_nothing_is_left_out(corners: tuple[int, int, int, int]) -> None:
    pictures = make_pictures(page_pixels(), [figure(*corners), figure(100, 200, 300, 400)])
    assert list(pictures.figures) == [2]
    assert open_jpeg(pictures.boxed_page).size == (400, 600)


def test_thousands_of_figures_are_not_cut() -> None:
    many = [figure(x, 0, x + 20, 20 + y) for x in range(100) for y in range(30)]
    assert len(make_pictures(page_pixels(), many).figures) == MAX_FIGURES


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3)])
def test_the_smallest_pages_are_drawn(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pictures = make_pictures(pixels, [Block("text", "a", (BoundingBox(0, 0, 1, 1),))])
    assert open_jpeg(pictures.boxed_page).size == size[::-1]


def test_a_page_without_blocks_is_the_page() -> None:
    pictures = make_pictures(page_pixels(), [])
    assert pictures.figures == {}
    assert is_near(open_jpeg(pictures.boxed_page).getpixel((200, 300)), RED)


def test_labels_of_any_length_and_script_are_drawn() -> None:
    blocks = [
        Block(label, "", (BoundingBox(10, 10, 200, 100),))
        for label in ("x" * 5000, "\u56fe\u7247", "\ud83d", "a\0b", "", "two\nlines")
    ]
    assert open_jpeg(make_pictures(page_pixels(), blocks).boxed_page).size == (400, 600)


def test_kinds_of_blocks_are_told_apart_by_colour() -> None:
    labels = ("title", "text", "table", "image", "equation", "table_caption", "footer")
    assert len({colour_of(label) for label in labels}) == len(labels)
    assert colour_of("something_new") == colour_of("text")


def test_a_tag_stands_in_the_margin_beside_its_box() -> None:
    box = BoundingBox(100, 50, 300, 150)
    assert TagPlaces([box], (400, 600), 0).choose(box, (40, 10)) == (60, 50)


def test_a_tag_that_would_hide_a_neighbour_goes_above_its_box() -> None:
    neighbour, box = BoundingBox(10, 50, 95, 150), BoundingBox(100, 50, 300, 150)
    assert TagPlaces([neighbour, box], (400, 600), 0).choose(box, (40, 10)) == (100, 40)


def test_a_tag_is_never_off_the_page() -> None:
    page_size, tag_size = (400, 600), (40, 10)
    for corners in ((0, 0, 400, 600), (-90, -90, -5, -5), (390, 595, 800, 900), (0, 0, 5, 5)):
        box = BoundingBox(*corners)
        x, y = TagPlaces([box], page_size, 2).choose(box, tag_size)
        assert 0 <= x <= 360
        assert 0 <= y <= 590


async def test_pictures_are_stored_and_linked_as_seen_from_the_document(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    result = result_of(figure(900, 900, 950, 950), figure(100, 200, 300, 400))

    links = await store_pictures(
        storage, TASK_ID, 3, page_pixels(), result, turns=asyncio.Semaphore()
    )

    assert links == {BoundingBox(100, 200, 300, 400): "images/page-0003-figure-2.jpg"}
    assert await storage.size(figure_key(TASK_ID, 3, 2)) is not None
    assert await storage.size(figure_key(TASK_ID, 3, 1)) is None
    assert await storage.size(boxed_page_key(TASK_ID, 3)) is not None


async def test_pictures_are_made_in_turn(tmp_path: Path) -> None:
    storage, turns = LocalStorage(tmp_path), asyncio.Semaphore(0)
    storing = asyncio.create_task(
        store_pictures(storage, TASK_ID, 3, page_pixels(), result_of(), turns=turns)
    )
    await asyncio.sleep(0.2)
    assert await storage.size(boxed_page_key(TASK_ID, 3)) is None
    turns.release()
    await storing
    assert await storage.size(boxed_page_key(TASK_ID, 3)) is not None


async def test_a_figure_that_is_boxed_twice_is_stored_once(tmp_path: Path) -> None:
    result = result_of(figure(100, 200, 300, 400), figure(100, 200, 300, 400))
    links = await store_pictures(
        LocalStorage(tmp_path), TASK_ID, 1, page_pixels(), result, turns=asyncio.Semaphore()
    )
    assert list(links.values()) == ["images/page-0001-figure-1.jpg"]


def test_a_page_is_shrunk_for_a_small_place() -> None:
    page = make_pictures(page_pixels(), []).boxed_page

    small = open_jpeg(shrink(page, 100))

    assert small.size == (100, 150)
    assert is_near(small.getpixel((50, 75)), RED)
    assert is_near(small.getpixel((10, 10)), WHITE)
    assert shrink(page, 400) == shrink(page, 4096) == page
