"""What goes into the engine is counted and checked before it gets there."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from folio.errors import InvalidInputError
from folio.preprocessing.resolution import Mode, Resolution, resolve
from folio.preprocessing.tiling import CropGrid
from folio.preprocessing.transforms import PageViews, make_views

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


def build(inputs, prompt=PROMPT, mode=Mode.GUNDAM, max_model_len=MAX_MODEL_LEN):
    page, resolution = page_and_resolution(mode)
    views = make_views(page, resolution)
    return inputs.build_engine_input(
        CharacterTokenizer(), views, prompt, resolution, max_model_len=max_model_len
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


def test_pixels_travel_as_bytes(inputs):
    (item,) = build(inputs)["mm_kwargs"]["image"]
    data = item.get_data()
    assert data["global_view"].dtype == data["local_views"].dtype == torch.uint8
    assert data["global_view"].shape == (3, 1024, 1024)
    assert data["local_views"].shape == (2, 3, 640, 640)
    assert data["crop_grid"].tolist() == [1, 2]


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
    with pytest.raises(ValueError, match="expected uint8 views"):
        inputs.check_views(views, resolution)


@pytest.mark.parametrize("base_size", [0, 63, 1000, 1344, -64])
def test_sizes_that_the_tower_does_not_take_are_refused(inputs, base_size):
    views = PageViews(torch.zeros(0), torch.zeros(0))
    with pytest.raises(ValueError, match="base_size"):
        inputs.check_views(views, Resolution(base_size, keep_aspect=True))


def test_the_hash_covers_every_view_and_the_geometry(inputs):
    page, resolution = page_and_resolution()
    views = make_views(page, resolution)
    other_global, other_local = views.global_view.clone(), views.local_views.clone()
    other_global[2, -1, -1] ^= 1
    other_local[1, 2, -1, -1] ^= 1
    turned = replace(resolution, crop_grid=CropGrid(2, 1))
    hashes = {
        inputs.hash_views(views, resolution),
        inputs.hash_views(replace(views, global_view=other_global), resolution),
        inputs.hash_views(replace(views, local_views=other_local), resolution),
        inputs.hash_views(views, turned),
    }
    assert len(hashes) == 4


def test_the_same_page_has_the_same_hash(inputs):
    page, resolution = page_and_resolution()
    first, second = (make_views(page.copy(), resolution) for _ in range(2))
    assert inputs.hash_views(first, resolution) == inputs.hash_views(second, resolution)
