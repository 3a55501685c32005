"""From a page's views and a prompt to what vLLM's engine takes, without a processor in between.

Everything is counted and checked here, in the API process: an input that does not fit would stop
the engine for everybody. Knows nothing of requests or of sampling.
"""

import hashlib
from typing import Protocol

import torch
from torch import Tensor
from vllm.inputs import mm_input
from vllm.inputs.engine import MultiModalInput
from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

from folio.errors import InvalidInputError
from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, PIXELS_PER_TOKEN, Resolution
from folio.preprocessing.transforms import PageViews

IMAGE_TOKEN = "<image>"
MODALITY = "image"
MAX_BASE_SIZE = 1280


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    bos_token_id: int

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...


def build_engine_input(
    tokenizer: Tokenizer,
    views: PageViews,
    prompt: str,
    resolution: Resolution,
    *,
    max_model_len: int,
) -> MultiModalInput:
    """The engine's input for one page. `prompt` holds one `<image>`.

    Raises InvalidInputError for a prompt that cannot be served, ValueError for views that are not
    those of `resolution`.
    """
    check_views(views, resolution)
    num_image_tokens = resolution.num_image_tokens
    before, after = encode_prompt(tokenizer, prompt)
    image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    token_ids = [*before, *[image_token_id] * num_image_tokens, *after]
    check_length(len(token_ids), num_image_tokens, max_model_len)
    return mm_input(
        prompt_token_ids=token_ids,
        mm_kwargs=as_engine_items(views, resolution),
        mm_hashes={MODALITY: [hash_views(views, resolution)]},
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


def check_views(views: PageViews, resolution: Resolution) -> None:
    """The views are exactly what `resolution` says, so that the tokens will be as counted."""
    size, local_size = resolution.base_size, LOCAL_VIEW_SIZE
    if size % PIXELS_PER_TOKEN or not PIXELS_PER_TOKEN <= size <= MAX_BASE_SIZE:
        raise ValueError(f"base_size {size} is no multiple of 64 up to {MAX_BASE_SIZE}")
    check_tensor(views.global_view, (3, size, size))
    num_views = resolution.crop_grid.num_views
    check_tensor(views.local_views, (num_views, 3, local_size, local_size))


def check_tensor(pixels: Tensor, shape: tuple[int, ...]) -> None:
    if pixels.dtype != torch.uint8 or tuple(pixels.shape) != shape:
        raise ValueError(
            f"expected uint8 views of shape {shape}, got {pixels.dtype} {tuple(pixels.shape)}"
        )


def as_engine_items(views: PageViews, resolution: Resolution) -> MultiModalKwargsItems:
    """One page as the keyword arguments of `embed_multimodal`, pixels as uint8."""
    grid = resolution.crop_grid
    fields = {
        "global_view": MultiModalFieldConfig.batched(MODALITY),
        "local_views": MultiModalFieldConfig.flat_from_sizes(
            MODALITY, torch.tensor([grid.num_views])
        ),
        "crop_grid": MultiModalFieldConfig.batched(MODALITY, keep_on_cpu=True),
    }
    pixels = {
        "global_view": views.global_view[None],
        "local_views": views.local_views,
        "crop_grid": torch.tensor([[grid.columns, grid.rows]]),
    }
    return MultiModalKwargsItems.from_hf_inputs(pixels, fields)


def hash_views(views: PageViews, resolution: Resolution) -> str:
    """Key of the page in vLLM's encoder cache, which outlives the request.

    Covers every byte and the geometry: two pages with one key would get one page's text.
    """
    digest = hashlib.sha256(repr(resolution).encode())
    digest.update(views.global_view.contiguous().numpy().data)
    digest.update(views.local_views.contiguous().numpy().data)
    return digest.hexdigest()
