"""All pages of a step through the tower together: one batch per view size, bounded in pixels.

Nothing here waits for the device: where each token lies is known on the host beforehand.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from folio.model.deepencoder.sequence import image_token_order
from folio.model.resampling import make_device_views
from folio.model.transfer import upload, upload_all
from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, PIXELS_PER_TOKEN, Resolution

# 16 views of 1024 x 1024 at once keep a GPU busy; activations beyond that only cost memory.
PIXELS_PER_GPU_BATCH = 16 * 1024**2
# A CPU gains nothing from batches.
PIXELS_PER_CPU_BATCH = 2 * 1024**2


def pixels_per_batch(device: torch.device) -> int:
    """How many pixels to encode at once."""
    return PIXELS_PER_CPU_BATCH if device.type == "cpu" else PIXELS_PER_GPU_BATCH


@dataclass(frozen=True)
class Span:
    """Some views of a step: those of one side from the `first` on."""

    side: int
    first: int


class ViewStacks:
    """The views of a step by their side, in the order in which they came."""

    def __init__(self) -> None:
        self._stacks: dict[int, list[Tensor]] = defaultdict(list)

    def add(self, views: Tensor) -> Span:
        """views: uint8 (views, 3, side, side), maybe none."""
        side = views.shape[-1]
        span = Span(side, sum(stack.shape[0] for stack in self._stacks[side]))
        if views.shape[0]:
            self._stacks[side].append(views)
        return span

    def encode(
        self, encode: Callable[[Tensor], Tensor], *, max_pixels: int
    ) -> tuple[list[Tensor], dict[int, int]]:
        """-> tokens (tokens of all views of a side, hidden) by side, and where each side begins."""
        tokens: list[Tensor] = []
        starts: dict[int, int] = {}
        num_tokens = 0
        for side, stacks in sorted(self._stacks.items()):
            starts[side] = num_tokens
            for batch in even_batches(torch.cat(stacks) if stacks else None, max_pixels):
                tokens.append(encode(batch).flatten(0, 1))
                num_tokens += tokens[-1].shape[0]
        return tokens, starts


def even_batches(views: Tensor | None, max_pixels: int) -> Iterable[Tensor]:
    """As few batches of one size as stay within the limit: a small last one would idle a GPU."""
    if views is None:
        return ()
    max_views = max(1, max_pixels // views.shape[-1] ** 2)
    return views.tensor_split(-(-views.shape[0] // max_views))


def embed_pages(
    encode: Callable[[Tensor], Tensor],
    pages: Sequence[Sequence[Tensor]],
    resolutions: Sequence[Resolution],
    *,
    image_newline: Tensor,
    view_seperator: Tensor,
    max_pixels: int,
) -> list[Tensor]:
    """Image tokens of each page: (num_image_tokens, hidden).

    encode: uint8 (views, 3, side, side) -> (views, tokens, hidden). pages: on the host or the
    device, each a page as it is, uint8 (height, width, 3), or its global view and its local views.
    """
    stacks = ViewStacks()
    there = upload_pages(pages, image_newline.device)
    spans = stack_views(stacks, there, resolutions)
    tokens, starts = stacks.encode(encode, max_pixels=max_pixels)
    everything = torch.cat([*tokens, image_newline[None], view_seperator[None]])
    newline = everything.shape[0] - 2
    orders = [
        order_in_step(*page_spans, resolution, starts, newline)
        for page_spans, resolution in zip(spans, resolutions, strict=True)
    ]
    order = torch.from_numpy(np.concatenate(orders))
    chosen = everything.index_select(0, upload(order, everything.device))
    return list(chosen.split([len(page_order) for page_order in orders]))


def upload_pages(pages: Sequence[Sequence[Tensor]], device: torch.device) -> list[list[Tensor]]:
    tensors = iter(upload_all(chain.from_iterable(pages), device))
    return [list(islice(tensors, len(page))) for page in pages]


def stack_views(
    stacks: ViewStacks, pages: Sequence[Sequence[Tensor]], resolutions: Sequence[Resolution]
) -> list[tuple[Span, Span]]:
    """Put every page's views on the stacks -> where its global and its local views are."""
    spans: dict[int, tuple[Span, Span]] = {}
    alike: dict[tuple[torch.Size, Resolution], list[int]] = defaultdict(list)
    for index, (pixels, resolution) in enumerate(zip(pages, resolutions, strict=True)):
        if len(pixels) == 1:
            alike[pixels[0].shape, resolution].append(index)
        else:
            global_view, local_views = pixels
            spans[index] = stacks.add(global_view[None]), stacks.add(local_views)
    for (_, resolution), indices in alike.items():
        whole, local = make_device_views(
            torch.stack([pages[index][0] for index in indices]), resolution
        )
        first_whole, first_local = stacks.add(whole), stacks.add(local)
        for place, index in enumerate(indices):
            spans[index] = (
                Span(first_whole.side, first_whole.first + place),
                Span(
                    first_local.side,
                    first_local.first + place * resolution.crop_grid.num_views,
                ),
            )
    return [spans[index] for index in range(len(pages))]


def order_in_step(
    whole: Span, local: Span, resolution: Resolution, starts: dict[int, int], newline: int
) -> NDArray[np.int64]:
    """Where a page's image tokens lie among all tokens of the step, newline and separator last."""
    global_side, local_side = (
        side // PIXELS_PER_TOKEN for side in (resolution.base_size, LOCAL_VIEW_SIZE)
    )
    num_local = resolution.crop_grid.num_views * local_side**2
    local_start = starts[local.side] + local.first * local_side**2
    global_start = starts[whole.side] + whole.first * global_side**2
    places = np.concatenate(
        [
            np.arange(local_start, local_start + num_local),
            np.arange(global_start, global_start + global_side**2),
            [newline, newline + 1],
        ]
    )
    return places[image_token_order(global_side, local_side, resolution.crop_grid)]
