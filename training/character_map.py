"""The auxiliary task that makes reading click: which character stands at each 4 x 8 pixels.

Its two heads are thrown away after training.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.charset import NUM_CHARACTERS

BLANK_WEIGHT = 0.2
POINTS_PER_PATCH = (2, 4)
POINTS_PER_TOKEN = (8, 16)


class CharacterMap(nn.Module):
    """Two heads: on SAM's patches (16 x 16 pixels) and on the projected image tokens (64 x 64
    pixels)."""

    def __init__(self, patch_width: int, token_width: int, *, inner: int = 32) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(patch_width)
        self.from_patch = nn.Linear(patch_width, 8 * NUM_CHARACTERS)
        self.token_points = nn.Linear(token_width, 128 * inner)
        self.from_point = nn.Linear(inner, NUM_CHARACTERS)
        weights = torch.ones(NUM_CHARACTERS)
        weights[0] = BLANK_WEIGHT
        self.register_buffer("class_weights", weights)

    def forward(self, patches: Tensor, tokens: Tensor, labels: Tensor) -> Tensor:
        """patches: (views, side/16, side/16, width); tokens: (views, (side/64)**2, width); labels:
        (views, side/8, side/4). Returns both losses, stacked."""
        from_patches = self.from_patch(self.norm(patches)).view(-1, NUM_CHARACTERS)
        points = functional.gelu(self.token_points(tokens).view(*tokens.shape[:2], 128, -1))
        from_tokens = self.from_point(points).view(-1, NUM_CHARACTERS)
        return torch.stack(
            [
                self.loss(from_patches, group_points(labels, POINTS_PER_PATCH)),
                self.loss(from_tokens, group_points(labels, POINTS_PER_TOKEN)),
            ]
        )

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits.float(), labels, weight=self.class_weights.float())


def group_points(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """The points of each cell of rows x columns one after the other: (views, height, width) ->
    (points,)."""
    views, height, width = labels.shape
    rows, columns = size
    cells = labels.view(views, height // rows, rows, width // columns, columns)
    return cells.permute(0, 1, 3, 2, 4).reshape(-1)
