"""CLIP's vision transformer, fed by SAM's compressed features in place of its patch embedding.

Source: the published checkpoint (`vision_model.*`). Attribute names are checkpoint keys, spelling
included; the checkpoint's own `patch_embedding` is not used.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from folio.model.deepencoder.config import MLP_RATIO, ClipConfig
from folio.model.deepencoder.positions import resize_position_grid

NORM_EPS = 1e-5


class ClipEmbeddings(nn.Module):
    """SAM's features and the class token, with positions."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.grid_size = config.grid_size
        self.class_embedding = nn.Parameter(torch.randn(config.width))
        self.position_embedding = nn.Embedding(config.grid_size**2 + 1, config.width)
        self.frozen: dict[int, Tensor] | None = None

    def forward(self, features: Tensor) -> Tensor:
        # (views, width, grid, grid) -> (views, 1 + grid**2, width)
        views, width, size, _ = features.shape
        tokens = features.flatten(2).transpose(1, 2)
        class_tokens = self.class_embedding.expand(views, 1, width)
        return torch.cat([class_tokens, tokens], dim=1) + self.positions(size)

    def positions(self, size: int) -> Tensor:
        """For views of size x size tokens; kept once the weights are `frozen`."""
        if self.frozen is None:
            return self.compute_positions(size)
        if size not in self.frozen:
            self.frozen[size] = self.compute_positions(size)
        return self.frozen[size]

    def compute_positions(self, size: int) -> Tensor:
        """(1 + size**2, width): the class token's position, then the grid's, row by row."""
        table = self.position_embedding.weight
        grid = table[1:].view(1, self.grid_size, self.grid_size, -1)
        return torch.cat([table[:1], resize_position_grid(grid, size).flatten(0, 2)])


class ClipAttention(nn.Module):
    """Plain multi-head attention over all tokens of a view."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv_proj = nn.Linear(config.width, 3 * config.width)
        self.out_proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        views, num_tokens, width = x.shape
        qkv = self.qkv_proj(x).view(views, num_tokens, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        out = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(out.transpose(1, 2).reshape(views, num_tokens, width))


class ClipMlp(nn.Module):
    """Two linear layers with CLIP's quick GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class ClipLayer(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.self_attn = ClipAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.mlp = ClipMlp(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class ClipTransformer(nn.Module):
    """The stack of blocks, a module of its own because the checkpoint's names say so."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ClipLayer(config) for _ in range(config.num_layers))
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            from folio.model.deepencoder.fused import run_clip_layers  # noqa: PLC0415

            return run_clip_layers(self.layers, x)
        for layer in self.layers:
            x = layer(x)
        return x


class ClipEncoder(nn.Module):
    """SAM's features -> features that have seen the whole view. No norm at the end."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.embeddings = ClipEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.transformer = ClipTransformer(config)

    def forward(self, features: Tensor) -> Tensor:
        """(views, width, grid, grid) -> (views, grid**2, width), the class token left out."""
        x = self.pre_layrnorm(self.embeddings(features))
        return self.transformer(x)[:, 1:]
