"""A page arrives as it was sent, to the last byte; what is no page is refused."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from folio.engine.pixels import PixelFormat, decode_pixels, encode_pixels
from folio.errors import InvalidInputError
from tests.pages import print_page


def joined(parts: object) -> NDArray[np.uint8]:
    return np.concatenate([np.frombuffer(part, np.uint8) for part in parts])


def text_page() -> NDArray[np.uint8]:
    return np.array(print_page(size=(501, 403)))


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def coloured_text() -> NDArray[np.uint8]:
    page = text_page()
    page[100:110, 100:200] = (200, 30, 30)
    return page


PAGES = {
    "text": text_page(),
    "text and colour": coloured_text(),
    "noise": noise(40, 30),
    "grey noise": np.repeat(noise(40, 30)[..., :1], 3, axis=2),
    "all white": np.full((33, 17, 3), 255, np.uint8),
    "all black": np.zeros((33, 17, 3), np.uint8),
    "one pixel": noise(1, 1),
    "one grey pixel": np.full((1, 1, 3), 7, np.uint8),
    "one row": noise(1, 1001),
    "one column": noise(1001, 1),
    "every second column": text_page()[:, ::2],
    "upside down": text_page()[::-1],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_arrives_byte_for_byte(name: str) -> None:
    page = PAGES[name]
    pixel_format, parts = encode_pixels(page)
    data = joined(parts)
    assert data.size == pixel_format.num_encoded_bytes
    np.testing.assert_array_equal(decode_pixels(pixel_format, data), page)


@pytest.mark.parametrize("offset", range(8))
def test_groups_may_begin_anywhere_in_memory(offset: int) -> None:
    pixel_format, parts = encode_pixels(text_page())
    data = np.concatenate([np.zeros(offset, np.uint8), joined(parts)])[offset:]
    np.testing.assert_array_equal(decode_pixels(pixel_format, data), text_page())


def test_a_page_of_black_text_travels_in_a_tenth_of_its_bytes() -> None:
    pixel_format, _ = encode_pixels(text_page())
    assert pixel_format.num_channels == 1
    assert pixel_format.num_encoded_bytes < text_page().nbytes / 10


def test_noise_is_sent_as_it_is() -> None:
    pixel_format, (pixels,) = encode_pixels(noise(40, 30))
    assert pixel_format == PixelFormat(30, 40, 3, None)
    assert pixels.nbytes == 40 * 30 * 3


def test_a_single_pixel_that_is_not_quite_grey_keeps_all_channels() -> None:
    for channel in range(3):
        page = np.full((500, 400, 3), 200, np.uint8)
        page[499, 399, channel] = 201
        pixel_format, parts = encode_pixels(page)
        np.testing.assert_array_equal(decode_pixels(pixel_format, joined(parts)), page)


@pytest.mark.parametrize("num_bytes", [-1, 1, 8, 1000])
def test_a_body_of_another_size_is_refused(num_bytes: int) -> None:
    for page in (text_page(), noise(40, 30)):
        pixel_format, parts = encode_pixels(page)
        data = joined(parts)
        wrong = data[:num_bytes] if num_bytes < 0 else np.pad(data, (0, num_bytes))
        with pytest.raises(InvalidInputError, match="bytes"):
            decode_pixels(pixel_format, wrong)


def test_a_bitmap_that_marks_more_groups_than_there_are_is_refused() -> None:
    pixel_format, parts = encode_pixels(text_page())
    data = joined(parts)
    data[0] ^= 0x80
    with pytest.raises(InvalidInputError, match="bitmap"):
        decode_pixels(pixel_format, data)


def test_a_number_of_groups_that_the_page_does_not_have_is_refused() -> None:
    pixel_format, _ = encode_pixels(text_page())
    wrong = dataclasses.replace(pixel_format, num_inked_groups=pixel_format.num_groups + 1)
    with pytest.raises(InvalidInputError, match="bitmap"):
        decode_pixels(wrong, np.zeros(wrong.num_encoded_bytes, np.uint8))
