"""From a page and a prompt to what vLLM's engine takes, without a processor in between.

Everything is counted and checked here, in the API process: an input that does not fit would stop
the engine for everybody. Knows nothing of requests or of sampling.
"""

import uuid
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vllm.inputs import mm_input
from vllm.inputs.engine import MultiModalInput
from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

from folio.errors import InvalidInputError
from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, PIXELS_PER_TOKEN, Resolution
from folio.preprocessing.tiling import CropGrid
from folio.preprocessing.transforms import PageViews, make_views

IMAGE_TOKEN = "<image>"
MODALITY = "image"
MAX_BASE_SIZE = 1280
# An A4 page at 300 dpi travels as it is; of a larger one the views do, a third of that at most.
MAX_PAGE_BYTES = 32 * 1024**2


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    bos_token_id: int

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...


def build_engine_input(
    tokenizer: Tokenizer,
    pixels: Sequence[Tensor],
    prompt: str,
    resolution: Resolution,
    *,
    max_model_len: int,
) -> MultiModalInput:
    """The engine's input for one page. pixels: see `choose_pixels`. `prompt` holds one `<image>`.

    Raises InvalidInputError for a prompt that cannot be served, ValueError for pixels that do not
    fit `resolution`.
    """
    check_pixels(pixels, resolution)
    num_image_tokens = resolution.num_image_tokens
    before, after = encode_prompt(tokenizer, prompt)
    image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    token_ids = [*before, *[image_token_id] * num_image_tokens, *after]
    check_length(len(token_ids), num_image_tokens, max_model_len)
    return mm_input(
        prompt_token_ids=token_ids,
        mm_kwargs=as_engine_items(pixels, resolution),
        # The key in vLLM's encoder cache, which outlives the request. Pages share nothing, and
        # under a key that comes once no page can ever get another one's text.
        mm_hashes={MODALITY: [uuid.uuid4().hex]},
        mm_placeholders={MODALITY: [PlaceholderRange(offset=len(before), length=num_image_tokens)]},
    )


def encode_prompt(tokenizer: Tokenizer, prompt: str) -> tuple[list[int], list[int]]:
    """Token ids before the image (beginning-of-sequence included) and after it."""
    parts = prompt.split(IMAGE_TOKEN)
    if len(parts) != 2:
        raise InvalidInputError(
            f"The prompt must contain {IMAGE_TOKEN} exactly once, not {len(parts) - 1} times."
        )
    before, after = (tokenizer.encode(part, add_special_tokens=False) for part in parts)
    return [tokenizer.bos_token_id, *before], after


def check_length(num_tokens: int, num_image_tokens: int, max_model_len: int) -> None:
    if num_tokens >= max_model_len:
        raise InvalidInputError(
            f"The prompt takes {num_tokens} tokens ({num_image_tokens} of them for the image) and "
            f"leaves no room for an answer within {max_model_len}. Shorten the prompt or choose a "
            f"smaller mode."
        )


def choose_pixels(
    image: NDArray[np.uint8], resolution: Resolution, *, resize_on_device: bool
) -> list[Tensor]:
    """What travels to the engine core: the page as it is, or its global view and its local views.

    image: uint8 (height, width, 3), upright RGB. resize_on_device: whether the model runs where
    resizing costs nothing; else it is done here, by Pillow.
    """
    if resize_on_device and image.nbytes <= MAX_PAGE_BYTES:
        return [torch.from_numpy(np.require(image, requirements=("C", "W")))]
    views = make_views(image, resolution)
    return [views.global_view, views.local_views]


def check_pixels(pixels: Sequence[Tensor], resolution: Resolution) -> None:
    """A page, or exactly the views that `resolution` says: the tokens will be as counted."""
    size = resolution.base_size
    if size % PIXELS_PER_TOKEN or not PIXELS_PER_TOKEN <= size <= MAX_BASE_SIZE:
        raise ValueError(f"base_size {size} is no multiple of 64 up to {MAX_BASE_SIZE}")
    if len(pixels) == 1:
        height, width = pixels[0].shape[:2]
        check_tensor(pixels[0], (max(1, height), max(1, width), 3))
    else:
        check_views(PageViews(*pixels), resolution)


def check_views(views: PageViews, resolution: Resolution) -> None:
    size, local_size = resolution.base_size, LOCAL_VIEW_SIZE
    check_tensor(views.global_view, (3, size, size))
    num_views = resolution.crop_grid.num_views
    check_tensor(views.local_views, (num_views, 3, local_size, local_size))


def check_tensor(pixels: Tensor, shape: tuple[int, ...]) -> None:
    if pixels.dtype != torch.uint8 or tuple(pixels.shape) != shape:
        raise ValueError(
            f"expected uint8 pixels of shape {shape}, got {pixels.dtype} {tuple(pixels.shape)}"
        )


def as_engine_items(pixels: Sequence[Tensor], resolution: Resolution) -> MultiModalKwargsItems:
    """One page as the keyword arguments of `embed_multimodal`, pixels as uint8."""
    fields = {
        "pixels": MultiModalFieldConfig.batched(MODALITY, keep_on_cpu=True),
        "geometry": MultiModalFieldConfig.batched(MODALITY, keep_on_cpu=True),
    }
    # As a list: pages of one size would else be copied into one tensor on the host. Kept on the
    # CPU: vLLM would copy from memory that is not pinned, and wait for the device.
    values = {"pixels": [list(pixels)], "geometry": torch.tensor([as_geometry(resolution)])}
    return MultiModalKwargsItems.from_hf_inputs(values, fields)


def as_geometry(resolution: Resolution) -> list[int]:
    grid = resolution.crop_grid
    return [resolution.base_size, int(resolution.keep_aspect), grid.columns, grid.rows]


def as_resolution(geometry: Sequence[int]) -> Resolution:
    """The inverse of `as_geometry`."""
    base_size, keep_aspect, columns, rows = geometry
    return Resolution(base_size, bool(keep_aspect), CropGrid(columns, rows))
