"""Attention over a square grid with decomposed relative positions, without widening or storing.

The online softmax of FlashAttention, over tiles of whole rows of the grid: the bias of the columns
is the same in every tile, so it is read once, and the bias of the rows is a number per row.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_LOG2_E = 1.4426950408889634
_MAX_TILE = 128
_QUERIES = 128


@triton.jit
def _attend(
    query,  # (batch, tokens, heads, head_dim) by its strides, as are key and value
    key,
    value,
    rows,  # (batch, heads, tokens, side), contiguous, as is columns
    columns,
    out,  # (batch, tokens, heads, head_dim), contiguous: written
    batch_stride,
    token_stride,
    head_stride,
    num_heads,
    scale,
    side: tl.constexpr,
    rows_per_tile: tl.constexpr,
    tile: tl.constexpr,
    num_queries: tl.constexpr,
    head_dim: tl.constexpr,
    log2_e: tl.constexpr,
):
    """One head of one image per program of the second axis, a block of its queries."""
    num_tokens: tl.constexpr = side * side
    tokens_per_tile: tl.constexpr = side * rows_per_tile
    index = tl.program_id(1).to(tl.int64)
    batch, head = index // num_heads, index % num_heads
    start = batch * batch_stride + head * head_stride
    queries = tl.program_id(0) * num_queries + tl.arange(0, num_queries)
    is_query = queries < num_tokens
    channels = tl.arange(0, head_dim)
    place = tl.arange(0, tile)
    q = tl.load(
        query + start + queries[:, None] * token_stride + channels[None, :],
        mask=is_query[:, None],
        other=0.0,
    )
    bias_start = (index * num_tokens + queries) * side
    column_bias = tl.load(
        columns + bias_start[:, None] + (place % side)[None, :],
        mask=is_query[:, None] & (place < tokens_per_tile)[None, :],
        other=0.0,
    ).to(tl.float32)
    highest = tl.full((num_queries,), float("-inf"), tl.float32)
    total = tl.zeros((num_queries,), tl.float32)
    result = tl.zeros((num_queries, head_dim), tl.float32)
    for first_row in range(0, side, rows_per_tile):
        keys = first_row * side + place
        is_key = (place < tokens_per_tile) & (keys < num_tokens)
        offsets = start + keys[:, None] * token_stride + channels[None, :]
        k = tl.load(key + offsets, mask=is_key[:, None], other=0.0)
        v = tl.load(value + offsets, mask=is_key[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(k)) * scale + column_bias
        for row in tl.static_range(rows_per_tile):
            inside = is_query & (first_row + row < side)
            bias = tl.load(rows + bias_start + first_row + row, mask=inside, other=0.0)
            in_row = (place >= row * side) & (place < (row + 1) * side)
            scores += tl.where(in_row[None, :], bias.to(tl.float32)[:, None], 0.0)
        scores = tl.where(is_key[None, :], scores * log2_e, float("-inf"))
        higher = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp2(scores - higher[:, None])
        shrink = tl.exp2(highest - higher)
        total = total * shrink + tl.sum(weights, 1)
        result = result * shrink[:, None] + tl.dot(weights.to(v.dtype), v)
        highest = higher
    target = (batch * num_tokens + queries) * num_heads + head
    tl.store(
        out + target[:, None] * head_dim + channels[None, :],
        (result / total[:, None]).to(out.dtype.element_ty),
        mask=is_query[:, None],
    )


@torch.compiler.disable
def attend_on_grid(
    query: Tensor, key: Tensor, value: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """query, key, value: (batch, tokens, heads, head_dim) of one layout, such as parts of a qkv.

    rows, columns: (batch, heads, tokens, side), what a query adds to its scores with the keys of
    each row and of each column of the grid -> (batch, tokens, heads * head_dim)
    """
    batch, num_tokens, num_heads, head_dim = query.shape
    side = rows.shape[-1]
    rows_per_tile = max(1, _MAX_TILE // side)
    out = torch.empty(
        (batch, num_tokens, num_heads * head_dim), dtype=query.dtype, device=query.device
    )
    grid = (triton.cdiv(num_tokens, _QUERIES), batch * num_heads)
    _attend[grid](
        query,
        key,
        value,
        rows.contiguous(),
        columns.contiguous(),
        out,
        query.stride(0),
        query.stride(1),
        query.stride(2),
        num_heads,
        head_dim**-0.5,
        side=side,
        rows_per_tile=rows_per_tile,
        tile=triton.next_power_of_2(rows_per_tile * side),
        num_queries=_QUERIES,
        head_dim=head_dim,
        log2_e=_LOG2_E,
        num_warps=8,
        num_stages=2,
    )
    return out
