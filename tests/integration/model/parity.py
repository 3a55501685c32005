"""How far our tower and vLLM's own are in bfloat16 from the same rounded weights in float32.

Beside each other they are compared in vain: each is some 1.5e-2 from exact, and errors of different
origin add up. Beside exact it shows which one is better, and that both have seen the same page.
"""

import sys
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cosine_similarity

from folio.model.inputs import choose_pixels
from folio.model.view_batches import embed_pages, pixels_per_batch
from folio.preprocessing.resolution import Mode, resolve
from tests.integration.model.checkpoints import load_encoder

# How much further from exact than vLLM's own; on a CPU ours is at 0.77 to 0.90 of it.
MAX_RATIO = 1.1
# What rounding can explain, for either of them: more would be another function or other pixels.
MAX_ROUNDING = 2.5e-2
# Three times as far from one as the worst token on a CPU.
MIN_COSINE = 0.999


@dataclass(frozen=True)
class Distances:
    """Relative norms of ours - exact, vLLM's own - exact and ours - own, and the lowest cosine
    between a token of ours and of vLLM's own."""

    ours: float
    own: float
    between: float
    min_cosine: float

    @classmethod
    def of(cls, ours: torch.Tensor, own: torch.Tensor, exact: torch.Tensor) -> Self:
        """Each (image tokens, hidden), float32."""
        return cls(
            relative(ours, exact),
            relative(own, exact),
            relative(ours, own),
            cosine_similarity(ours, own).min().item(),
        )

    def __str__(self) -> str:
        return (
            f"ours from exact {self.ours:.2e}, vLLM's own from exact {self.own:.2e}, "
            f"ours from vLLM's own {self.between:.2e}, lowest cosine {self.min_cosine:.5f}"
        )


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def assert_no_less_exact_than_vllms_own(ours, own, exact):
    """All figures are in the message, and printed where it holds."""
    shapes = [tuple(tokens.shape) for tokens in (ours, own, exact)]
    assert len(set(shapes)) == 1, f"image tokens of ours, vLLM's own, exact: {shapes}"
    distances = Distances.of(ours, own, exact)
    sys.stdout.write(f"{distances}\n")
    assert distances.own < MAX_ROUNDING, str(distances)
    assert distances.ours < min(MAX_ROUNDING, MAX_RATIO * distances.own), str(distances)
    assert distances.min_cosine > MIN_COSINE, str(distances)


@torch.inference_mode()
def exact_embeddings(model, pages, device):
    """Image tokens of each page on the host, by our plain modules in float32, from the views that
    Pillow makes, as in vLLM's own. model: a folder of `write_checkpoint`. pages: of `engine_runs`.
    """
    encoder = load_encoder(model).to(device)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return [embed_page(encoder, page).cpu() for page in pages]


def embed_page(encoder, page):
    image = np.array(Image.open(page.path).convert("RGB"))
    resolution = resolve(Mode(page.mode), image.shape[1], image.shape[0])
    (tokens,) = embed_pages(
        encoder,
        [choose_pixels(image, resolution, resize_on_device=False)],
        [resolution],
        image_newline=encoder.image_newline,
        view_seperator=encoder.view_seperator,
        max_pixels=pixels_per_batch(encoder.image_newline.device),
    )
    return tokens
