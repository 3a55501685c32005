import numpy as np

from folio.documents.page_buffers import PageBuffers


def page(value: int, rows: int = 100) -> np.ndarray:
    return np.full((rows, 80, 3), value, np.uint8)


def address(pixels: np.ndarray) -> int:
    return pixels.__array_interface__["data"][0]


def test_a_copy_is_like_its_page() -> None:
    assert np.array_equal(PageBuffers().copy(page(7)), page(7))


def test_the_memory_of_a_page_that_nobody_holds_is_used_again() -> None:
    buffers = PageBuffers()
    first = buffers.copy(page(1))
    where = address(first)
    del first

    assert address(buffers.copy(page(2))) == where


def test_a_page_keeps_its_pixels_while_a_part_of_it_is_held() -> None:
    buffers = PageBuffers()
    part = buffers.copy(page(1))[10:20, :, 0]
    flat = memoryview(buffers.copy(page(2)))

    others = [buffers.copy(page(number)) for number in range(3, 20)]

    assert len(others) == 17
    assert (part == 1).all()
    assert (np.asarray(flat) == 2).all()


def test_a_small_page_does_not_take_a_large_pages_memory() -> None:
    buffers = PageBuffers()
    large = buffers.copy(page(1, rows=40_000))
    where = address(large)
    del large

    assert address(buffers.copy(page(2))) != where
