"""SAM's image encoder (ViT with decomposed relative positions) and the 16x compressor behind it.

Source: the published checkpoint (`sam_model.*`) and "Segment Anything", appendix A. Attribute names
are checkpoint keys.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from folio.model.deepencoder.config import MLP_RATIO, PATCH_SIZE, WINDOW_SIZE, SamConfig
from folio.model.deepencoder.positions import (
    GridPositions,
    one_hot_rows_and_columns,
    relative_table,
    resize_position_grid,
)

NORM_EPS = 1e-6
# Fused attention kernels want the head dimension to be a multiple of this. (Heads themselves are.)
HEAD_DIM_MULTIPLE = 8


class SamPositions(NamedTuple):
    """What the encoder knows of places on a grid of one size. absolute: (1, size, size, width)."""

    absolute: Tensor
    of_blocks: list[GridPositions]


class PatchEmbed(nn.Module):
    """Pixels -> one vector per patch."""

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, kernel_size=PATCH_SIZE, stride=PATCH_SIZE)

    def forward(self, pixels: Tensor) -> Tensor:
        """(views, 3, side, side) -> (views, grid, grid, width).

        As one matrix product: for three channels cuDNN has no convolution on the matrix units.
        """
        views, channels, side, _ = pixels.shape
        grid = side // PATCH_SIZE
        patches = pixels.view(views, channels, grid, PATCH_SIZE, grid, PATCH_SIZE)
        patches = patches.permute(0, 2, 4, 1, 3, 5).reshape(views, grid, grid, -1)
        return functional.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class RelativeAttention(nn.Module):
    """Attention over a square grid whose scores depend on the distance in rows and in columns."""

    def __init__(self, width: int, num_heads: int, grid_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = width // num_heads
        self.fused = False
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid_size - 1, self.head_dim))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid_size - 1, self.head_dim))

    def positions(self, size: int, one_hot: Tensor) -> GridPositions:
        """For a grid of this size. Computed from the parameters, so that they train."""
        rows, columns = (relative_table(table, size) for table in (self.rel_pos_h, self.rel_pos_w))
        return GridPositions(rows, columns, one_hot)

    def forward(self, x: Tensor, positions: GridPositions) -> Tensor:
        """x: (batch, size, size, width)."""
        batch, size, _, width = x.shape
        qkv = self.qkv(x).view(batch, size * size, 3, self.num_heads, self.head_dim)
        attend = self.attend_fused if self.fused else self.attend_folded
        return self.proj(attend(qkv, positions, size).view(batch, size, size, width))

    def attend_folded(self, qkv: Tensor, positions: GridPositions, size: int) -> Tensor:
        """(batch, size**2, 3, heads, head_dim) -> (batch, size**2, width), by torch's attention."""
        # (batch, heads, size**2, head_dim) each
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = self.fold_positions(query, key, positions, size)
        value = functional.pad(value, (0, query.shape[-1] - self.head_dim))
        out = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        return out[..., : self.head_dim].transpose(1, 2).flatten(2)

    def attend_fused(self, qkv: Tensor, positions: GridPositions, _: int) -> Tensor:
        """The same by a kernel of ours: for GPUs, and without gradients."""
        from folio.model.kernels.attention import attend_on_grid  # noqa: PLC0415

        return attend_on_grid(*qkv.unbind(2), positions.rows, positions.columns)

    def position_scores(
        self, query: Tensor, positions: GridPositions, size: int
    ) -> tuple[Tensor, Tensor]:
        """The query's product with every row and with every column of the grid.

        query: (batch, heads, size**2, head_dim) -> twice (batch, heads, size, size, size)
        """
        grid = query.unflatten(2, (size, size))
        rows = torch.einsum("bnhwc,hkc->bnhwk", grid, positions.rows)
        return rows, torch.einsum("bnhwc,wkc->bnhwk", grid, positions.columns)

    def fold_positions(
        self, query: Tensor, key: Tensor, positions: GridPositions, size: int
    ) -> tuple[Tensor, Tensor]:
        """Widen query and key so that their plain product is the score with positions.

        score = scale * q.k + q.R_h[row distance] + q.R_w[column distance], so the query carries its
        product with every row and column of the grid and the key says which row and column it is.
        That keeps the (size**2, size**2) bias from ever being stored, and fused kernels usable.
        """
        batch, heads, _, head_dim = query.shape
        rows, columns = self.position_scores(query, positions, size)
        one_hot = positions.one_hot
        zeros = query.new_zeros(()).expand(batch, heads, size**2, one_hot.shape[-1] - 2 * size)
        scaled = query * head_dim**-0.5
        wide_query = torch.cat([scaled, rows.flatten(2, 3), columns.flatten(2, 3), zeros], dim=-1)
        wide_key = torch.cat([key, one_hot.expand(batch, heads, -1, -1)], dim=-1)
        return wide_query, wide_key


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, MLP_RATIO * width)
        self.lin2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(functional.gelu(self.lin1(x)))


class SamBlock(nn.Module):
    """One transformer block, over windows of 14 x 14 patches or over the whole grid."""

    def __init__(self, config: SamConfig, *, is_global: bool) -> None:
        super().__init__()
        self.is_global = is_global
        grid_size = config.grid_size if is_global else WINDOW_SIZE
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.attn = RelativeAttention(config.width, config.num_heads, grid_size)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.mlp = Mlp(config.width)

    def forward(self, x: Tensor, positions: GridPositions) -> Tensor:
        """x: (views, grid, grid, width)."""
        x = x + self.attend(self.norm1(x), positions)
        return x + self.mlp(self.norm2(x))

    def attend(self, x: Tensor, positions: GridPositions) -> Tensor:
        if self.is_global:
            return self.attn(x, positions)
        windows = self.attn(split_into_windows(x), positions)
        return join_windows(windows, grid_size=x.shape[1])


def split_into_windows(x: Tensor) -> Tensor:
    """(views, grid, grid, width) -> (views * windows, 14, 14, width), zeros at the far edges.

    The zeros take part in attention, as they did when the checkpoint was trained.
    """
    views, grid_size, _, width = x.shape
    padding = -grid_size % WINDOW_SIZE
    x = functional.pad(x, (0, 0, 0, padding, 0, padding))
    side = (grid_size + padding) // WINDOW_SIZE
    x = x.view(views, side, WINDOW_SIZE, side, WINDOW_SIZE, width)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, WINDOW_SIZE, WINDOW_SIZE, width)


def join_windows(windows: Tensor, *, grid_size: int) -> Tensor:
    """The inverse of `split_into_windows`, without the padding."""
    side = -(-grid_size // WINDOW_SIZE)
    width = windows.shape[-1]
    x = windows.view(-1, side, side, WINDOW_SIZE, WINDOW_SIZE, width).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(-1, side * WINDOW_SIZE, side * WINDOW_SIZE, width)
    return x[:, :grid_size, :grid_size]


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of (views, channels, height, width)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, NORM_EPS)
        return x.permute(0, 3, 1, 2)


class SamEncoder(nn.Module):
    """Pixels -> features on a grid of one cell per 64 x 64 pixels."""

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        grid_size, width, neck_width = config.grid_size, config.width, config.neck_width
        first, second = config.downsample_widths
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid_size, grid_size, width))
        self.blocks = nn.ModuleList(
            SamBlock(config, is_global=index in config.global_attention_layers)
            for index in range(config.num_layers)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(width, neck_width, kernel_size=1, bias=False),
            ChannelNorm(neck_width),
            nn.Conv2d(neck_width, neck_width, kernel_size=3, padding=1, bias=False),
            ChannelNorm(neck_width),
        )
        self.net_2 = nn.Conv2d(neck_width, first, kernel_size=3, stride=2, padding=1, bias=False)
        self.net_3 = nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1, bias=False)
        self.frozen: dict[int, SamPositions] | None = None
        self.fused = False

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels: (views, 3, side, side), normalised -> (views, channels, side/64, side/64)."""
        return self.compress(self.encode_patches(pixels))

    def encode_patches(self, pixels: Tensor) -> Tensor:
        """Features per patch before the compressor: (views, side/16, side/16, width)."""
        x = self.patch_embed(pixels)
        positions = self.positions(x.shape[1])
        x = x + positions.absolute
        if self.fused:
            from folio.model.deepencoder.fused import run_sam_blocks  # noqa: PLC0415

            return run_sam_blocks(self.blocks, x, positions.of_blocks)
        for block, of_block in zip(self.blocks, positions.of_blocks, strict=True):
            x = block(x, of_block)
        return x

    def positions(self, grid_size: int) -> SamPositions:
        """For views of grid_size x grid_size patches; kept once the weights are `frozen`."""
        if self.frozen is None:
            return self.compute_positions(grid_size)
        if grid_size not in self.frozen:
            self.frozen[grid_size] = self.compute_positions(grid_size)
        return self.frozen[grid_size]

    def compute_positions(self, grid_size: int) -> SamPositions:
        absolute = resize_position_grid(self.pos_embed, grid_size)
        one_hot = {
            size: one_hot_rows_and_columns(size, HEAD_DIM_MULTIPLE, like=absolute)
            for size in (grid_size, WINDOW_SIZE)
        }
        of_blocks = []
        for block in self.blocks:
            assert isinstance(block, SamBlock)
            size = grid_size if block.is_global else WINDOW_SIZE
            of_blocks.append(block.attn.positions(size, one_hot[size]))
        return SamPositions(absolute, of_blocks)

    def compress(self, patches: Tensor) -> Tensor:
        """(views, grid, grid, width) -> (views, channels, grid/4, grid/4)."""
        return self.net_3(self.net_2(self.neck(patches.permute(0, 3, 1, 2))))
