"""What is sent arrives equal; what is no page, or no answer, is refused before it does harm."""

import dataclasses
import json
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from folio.engine.answers import decode_line, encode_error, encode_output, split_lines
from folio.engine.base import GenerationOutput, GenerationRequest, NoRepeatNgram
from folio.engine.wire import MAX_PRELUDE_BYTES, WireLimits, decode_request, encode_request
from folio.errors import (
    EngineNotReadyError,
    EngineOverloadedError,
    FolioError,
    ImageTooLargeError,
    InvalidInputError,
    RequestCanceledError,
)
from folio.preprocessing.resolution import Mode, Resolution, resolve
from folio.preprocessing.tiling import CropGrid
from tests.pages import print_page

LIMITS = WireLimits(max_page_pixels=1_000_000, max_side_pixels=4000, max_crops=6)
WIDTH, HEIGHT = 600, 900


def make_request(mode: Mode = Mode.GUNDAM, **fields: Any) -> GenerationRequest:
    image = np.array(print_page(size=(WIDTH, HEIGHT)))
    request = GenerationRequest(
        "6f1c:3:first", image, "<image>\nFree OCR. ä\u2028\x00", resolve(mode, WIDTH, HEIGHT)
    )
    return dataclasses.replace(request, **fields)


def body_of(request: GenerationRequest) -> np.ndarray:
    return np.frombuffer(b"".join(encode_request(request)), np.uint8)


def with_prelude(change: Callable[[dict[str, Any]], None]) -> np.ndarray:
    """A body whose prelude was changed behind the sender's back."""
    body = body_of(make_request()).tobytes()
    (length,) = struct.unpack(">I", body[:4])
    prelude = json.loads(body[4 : 4 + length])
    change(prelude)
    text = json.dumps(prelude).encode()
    return np.frombuffer(struct.pack(">I", len(text)) + text + body[4 + length :], np.uint8)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("rule", [None, NoRepeatNgram(20, 50), NoRepeatNgram(5, 5, ())])
def test_a_request_arrives_equal(mode: Mode, rule: NoRepeatNgram | None) -> None:
    sent = make_request(mode, no_repeat_ngram=rule, max_tokens=100 if rule else None)
    arrived = decode_request(body_of(sent), LIMITS)
    np.testing.assert_array_equal(arrived.image, sent.image)
    nothing = np.zeros(0, np.uint8)
    assert dataclasses.replace(arrived, image=nothing) == dataclasses.replace(sent, image=nothing)


def test_a_worker_with_fewer_crops_than_the_engine_is_served() -> None:
    resolution = resolve(Mode.GUNDAM, WIDTH, HEIGHT, max_crops=2)
    sent = make_request(resolution=resolution)
    assert decode_request(body_of(sent), LIMITS).resolution == resolution


@pytest.mark.parametrize(
    "resolution",
    [
        Resolution(1024, keep_aspect=True, crop_grid=CropGrid(3, 2)),
        Resolution(1024, keep_aspect=True, crop_grid=CropGrid(1, 9)),
        Resolution(1024, keep_aspect=False),
        Resolution(1280, keep_aspect=True, crop_grid=CropGrid(2, 3)),
        Resolution(63, keep_aspect=True),
        Resolution(0, keep_aspect=True),
        Resolution(1_000_000, keep_aspect=True),
        Resolution(1024, keep_aspect=True, crop_grid=CropGrid(-2, -3)),
    ],
)
def test_a_resolution_that_no_mode_gives_is_refused(resolution: Resolution) -> None:
    with pytest.raises(InvalidInputError, match="MAX_CROPS"):
        decode_request(body_of(make_request(resolution=resolution)), LIMITS)


CHANGES: dict[str, dict[str, Any]] = {
    "another version": {"version": 2},
    "an unknown field": {"surprise": 1},
    "no width": {"width": 0},
    "a negative height": {"height": -900},
    "a width that is text": {"width": "600"},
    "a fraction": {"width": 600.5},
    "infinity": {"width": float("inf")},
    "two channels": {"num_channels": 2},
    "other channels": {"num_channels": 3},
    "another width": {"width": 601},
    "width and height swapped": {"width": HEIGHT, "height": WIDTH + 1},
    "fewer groups": {"num_inked_groups": 3},
    "negative groups": {"num_inked_groups": -1},
    "no groups": {"num_inked_groups": None},
    "no image": {"prompt": "Free OCR."},
    "two images": {"prompt": "<image><image>"},
    "an endless prompt": {"prompt": "<image>" + "a" * 10_001},
    "no tokens": {"max_tokens": 0},
    "too many tokens": {"max_tokens": 10**9},
    "an id with a line end": {"request_id": "a\nb"},
    "an empty id": {"request_id": ""},
    "an endless id": {"request_id": "a" * 201},
    "a window below the n-gram": {
        "no_repeat_ngram": {"ngram_size": 9, "window_size": 5, "allowed_tokens": []}
    },
    "a huge window": {
        "no_repeat_ngram": {"ngram_size": 9, "window_size": 10**9, "allowed_tokens": []}
    },
    "unigrams": {"no_repeat_ngram": {"ngram_size": 1, "window_size": 9, "allowed_tokens": []}},
    "a lone surrogate": {"prompt": "<image>\ud800"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_prelude_that_does_not_hold_is_refused(name: str) -> None:
    body = with_prelude(lambda prelude: prelude.update(CHANGES[name]))
    with pytest.raises(InvalidInputError):
        decode_request(body, LIMITS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff" + b"{}" * 100,
        struct.pack(">I", MAX_PRELUDE_BYTES + 1) + b" " * (MAX_PRELUDE_BYTES + 1),
        struct.pack(">I", 100) + b"{}",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 2) + b"\xff\xfe",
        struct.pack(">I", 60_000) + b"[" * 60_000,
        b"--boundary\r\nContent-Disposition: form-data",
    ],
)
def test_a_body_that_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        decode_request(np.frombuffer(body, np.uint8), LIMITS)


def test_a_body_that_was_cut_is_refused() -> None:
    body = body_of(make_request())
    for end in range(0, body.size, 997):
        with pytest.raises(InvalidInputError):
            decode_request(body[:end], LIMITS)


def test_a_page_beyond_the_limit_is_refused_before_memory_is_taken_for_it() -> None:
    for width, height in ((4000, 4000), (1, 5000), (1_000_001, 1)):
        body = with_prelude(lambda prelude, w=width, h=height: prelude.update(width=w, height=h))
        with pytest.raises(ImageTooLargeError, match=r"Raise|Set"):
            decode_request(body, LIMITS)


def test_a_page_rounded_up_to_just_over_the_limit_is_read() -> None:
    limits = dataclasses.replace(LIMITS, max_page_pixels=(WIDTH - 1) * (HEIGHT - 1))
    assert decode_request(body_of(make_request()), limits).image.shape == (HEIGHT, WIDTH, 3)


def test_the_largest_page_fits_into_the_largest_body() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    sent = make_request(image=noise, prompt="<image>" + "\x01" * 8000)
    assert body_of(sent).size <= LIMITS.max_body_bytes


def test_a_request_that_no_engine_would_take_is_not_sent() -> None:
    with pytest.raises(InvalidInputError, match="request_id"):
        encode_request(make_request(request_id="line\nend"))


def test_an_output_arrives_equal() -> None:
    for output in (
        GenerationOutput("", 10, 9, 0),
        GenerationOutput('{"type":\n\u2028 ä \U0001f600 <|ref|>', 300, 273, 41, "repetition"),
    ):
        assert decode_line(encode_output(output).rstrip(b"\n")) == output
        assert encode_output(output).count(b"\n") == 1


@pytest.mark.parametrize(
    "error", [RequestCanceledError("Gone."), EngineNotReadyError("a\nb"), InvalidInputError("No.")]
)
def test_an_error_arrives_as_what_it_was(error: FolioError) -> None:
    with pytest.raises(type(error)) as raised:
        decode_line(encode_error(error))
    assert raised.value.message == error.message


def test_a_full_engine_says_when_to_come_back_but_not_never() -> None:
    for said, believed in ((7, 7), (10**9, 60)):
        with pytest.raises(EngineOverloadedError) as raised:
            decode_line(encode_error(EngineOverloadedError("Full.", retry_after_seconds=said)))
        assert raised.value.retry_after_seconds == believed


def test_an_error_of_an_unknown_kind_is_one_of_ours() -> None:
    with pytest.raises(FolioError, match="strange"):
        decode_line(encode_error(FolioError("strange")).replace(b"internal_error", b"new_code"))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"<html>",
        b'{"type":"about:blank"}',
        b'{"text":1,"prompt_tokens":1,"image_tokens":1,"completion_tokens":1}',
        b'{"text":"","prompt_tokens":"1","image_tokens":1,"completion_tokens":1}',
        b'{"text":"","prompt_tokens":1,"image_tokens":1,"completion_tokens":1,"finish_reason":"x"}',
    ],
)
def test_a_line_that_is_no_output_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        decode_line(line)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_lines_are_put_together_from_any_pieces() -> None:
    lines = [line async for line in split_lines(chunks(b"a", b"b\nc", b"\n\nd\ne", b"f\n", b"cut"))]
    assert lines == [b"ab", b"c", b"", b"d", b"ef"]


async def test_a_line_without_end_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024 * 1024)

    with pytest.raises(ValueError, match="no end"):
        [line async for line in split_lines(endless())]
