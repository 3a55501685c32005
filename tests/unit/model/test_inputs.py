"""What goes into the engine is counted and checked before it gets there."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from folio.errors import InvalidInputError
from folio.preprocessing.resolution import Mode, Resolution, resolve
from folio.preprocessing.transforms import make_views

IMAGE_TOKEN_ID = 3
PROMPT = "<image>\nFree OCR."
MAX_MODEL_LEN = 8192


class CharacterTokenizer:
    """One token per character, 100 on."""

    bos_token_id = 0

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return [100 + ord(character) for character in text]

    def convert_tokens_to_ids(self, token):
        return {"<image>": IMAGE_TOKEN_ID}[token]


@pytest.fixture(scope="module")
def inputs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from folio.model import inputs
    return inputs


def page_and_resolution(mode=Mode.GUNDAM, width=700, height=1280, seed=0):
    page = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return page, resolve(mode, width, height)


def build(inputs, prompt=PROMPT, mode=Mode.GUNDAM, max_model_len=MAX_MODEL_LEN, on_device=False):
    page, resolution = page_and_resolution(mode)
    pixels = inputs.choose_pixels(page, resolution, resize_on_device=on_device)
    return inputs.build_engine_input(
        CharacterTokenizer(), pixels, prompt, resolution, max_model_len=max_model_len
    )


@pytest.mark.parametrize("mode", Mode)
def test_the_image_token_is_expanded_to_as_many_as_the_mode_takes(inputs, mode):
    engine_input = build(inputs, mode=mode)
    num_image_tokens = resolve(mode, 700, 1280).num_image_tokens
    text = [100 + ord(character) for character in "\nFree OCR."]
    assert engine_input["prompt_token_ids"] == [0, *[IMAGE_TOKEN_ID] * num_image_tokens, *text]
    (placeholder,) = engine_input["mm_placeholders"]["image"]
    assert (placeholder.offset, placeholder.length) == (1, num_image_tokens)


def test_text_may_stand_before_the_image(inputs):
    engine_input = build(inputs, prompt="Hi <image> there", mode=Mode.TINY)
    (placeholder,) = engine_input["mm_placeholders"]["image"]
    assert placeholder.offset == 4
    assert engine_input["prompt_token_ids"][4 : 4 + 73] == [IMAGE_TOKEN_ID] * 73


def sent(engine_input):
    (item,) = engine_input["mm_kwargs"]["image"]
    return item.get_data()


def test_views_travel_as_bytes(inputs):
    data = sent(build(inputs))
    global_view, local_views = data["pixels"]
    assert global_view.dtype == local_views.dtype == torch.uint8
    assert global_view.shape == (3, 1024, 1024)
    assert local_views.shape == (2, 3, 640, 640)
    assert data["geometry"].tolist() == [1024, 1, 1, 2]


def test_a_page_that_is_resized_by_the_device_travels_as_it_is(inputs):
    page, _ = page_and_resolution()
    (pixels,) = sent(build(inputs, on_device=True))["pixels"]
    assert torch.equal(pixels, torch.from_numpy(page))


def test_of_a_large_photo_the_views_travel(inputs):
    resolution = resolve(Mode.GUNDAM, 3000, 4000)
    photo = np.zeros((4000, 3000, 3), dtype=np.uint8)
    pixels = inputs.choose_pixels(photo, resolution, resize_on_device=True)
    assert sum(tensor.nbytes for tensor in pixels) < photo.nbytes / 3


def test_a_page_that_must_not_be_written_to_is_taken(inputs):
    page, resolution = page_and_resolution()
    page.flags.writeable = False
    (pixels,) = inputs.choose_pixels(page, resolution, resize_on_device=True)
    assert torch.equal(pixels, torch.from_numpy(page.copy()))


@pytest.mark.parametrize("mode", Mode)
def test_the_model_gets_the_resolution_that_was_counted(inputs, mode):
    data = sent(build(inputs, mode=mode))
    assert inputs.as_resolution(data["geometry"].tolist()) == resolve(mode, 700, 1280)


@pytest.mark.parametrize("prompt", ["", "Free OCR.", "<image><image>", "<IMAGE>"])
def test_a_prompt_without_exactly_one_image_is_refused(inputs, prompt):
    with pytest.raises(InvalidInputError, match="exactly once"):
        build(inputs, prompt=prompt)


def test_a_prompt_that_leaves_no_room_is_refused(inputs):
    num_tokens = 493 + 1 + len("\nFree OCR.")
    build(inputs, max_model_len=num_tokens + 1)
    with pytest.raises(InvalidInputError, match="leaves no room"):
        build(inputs, max_model_len=num_tokens)


@pytest.mark.parametrize(
    "change",
    [
        {"global_view": torch.zeros(3, 640, 640, dtype=torch.uint8)},
        {"global_view": torch.zeros(3, 1024, 1024)},
        {"local_views": torch.zeros(1, 3, 640, 640, dtype=torch.uint8)},
        {"local_views": torch.zeros(2, 3, 512, 512, dtype=torch.uint8)},
    ],
)
def test_views_that_are_not_those_of_the_resolution_are_refused(inputs, change):
    page, resolution = page_and_resolution()
    views = replace(make_views(page, resolution), **change)
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        inputs.check_pixels([views.global_view, views.local_views], resolution)


@pytest.mark.parametrize(
    "page",
    [
        torch.zeros(10, 10, 3),
        torch.zeros(10, 10, 4, dtype=torch.uint8),
        torch.zeros(0, 10, 3, dtype=torch.uint8),
        torch.zeros(10, 10, dtype=torch.uint8),
    ],
)
def test_what_is_no_page_is_refused(inputs, page):
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        inputs.check_pixels([page], resolve(Mode.TINY, 10, 10))


@pytest.mark.parametrize("base_size", [0, 63, 1000, 1344, -64])
def test_sizes_that_the_tower_does_not_take_are_refused(inputs, base_size):
    page = torch.zeros(10, 10, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match="base_size"):
        inputs.check_pixels([page], Resolution(base_size, keep_aspect=True))


def test_no_two_requests_share_a_key_in_the_encoder_cache(inputs):
    keys = {build(inputs, mode=Mode.TINY)["mm_hashes"]["image"][0] for _ in range(100)}
    assert len(keys) == 100
