"""Attention over a square grid with decomposed relative positions, without widening or storing.

The online softmax of FlashAttention, over tiles of whole rows of the grid. A score costs no more
than without positions: the columns' bias is the same in every tile, and is what the products are
added up on; the rows' bias, a number per row, comes in as one more product with a few columns.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

_LOG2_E = 1.4426950408889634
# The matrix units take no fewer.
_SMALLEST_SIDE = 16


class Blocks(NamedTuple):
    """How the work is cut: queries of a program; most keys of a tile."""

    queries: int = 128
    tile: int = 128
    num_warps: int = 8
    num_stages: int = 3


@triton.jit
def _score_positions(
    query,  # (batch, tokens, heads, head_dim) by its strides
    row_table,  # (side, side, head_dim): of a query's row and a key's, as is column_table
    column_table,
    scores,  # (2, batch, heads, tokens, side): written, for rows and for columns
    batch_stride,
    token_stride,
    head_stride,
    num_heads,
    side: tl.constexpr,
    padded_side: tl.constexpr,
    head_dim: tl.constexpr,
):
    """One row of the grid's queries with all rows of keys, or one column's with all columns."""
    line = tl.program_id(0)
    index = tl.program_id(1).to(tl.int64)
    is_column = tl.program_id(2)
    places = tl.arange(0, padded_side)
    channels = tl.arange(0, head_dim)
    is_place = places < side
    tokens = tl.where(is_column == 1, places * side + line, line * side + places)
    start = (index // num_heads) * batch_stride + (index % num_heads) * head_stride
    q = tl.load(
        query + start + tokens[:, None] * token_stride + channels[None, :],
        mask=is_place[:, None],
        other=0.0,
    )
    table = column_table if is_column == 1 else row_table
    k = tl.load(
        table + (line * side + places[None, :]) * head_dim + channels[:, None],
        mask=is_place[None, :],
        other=0.0,
    )
    products = tl.dot(q, k, input_precision="ieee")
    num_tokens = side * side
    target = (is_column * tl.num_programs(1) + index) * num_tokens + tokens
    tl.store(
        scores + target[:, None] * side + places[None, :],
        products.to(scores.dtype.element_ty),
        mask=is_place[:, None] & is_place[None, :],
    )


@triton.jit
def _load_column_bias(
    columns, starts, is_query, scale, side: tl.constexpr, tile: tl.constexpr, keys: tl.constexpr
):
    """What every tile's products begin with: (queries, tile). A place from `keys` on is no key."""
    place = tl.arange(0, tile)
    bias = tl.load(
        columns + starts[:, None] + (place % side)[None, :], mask=is_query[:, None], other=0.0
    )
    # In units of the products before they are scaled.
    return tl.where((place < keys)[None, :], bias.to(tl.float32) / scale, float("-inf"))


@triton.jit
def _load_row_bias(rows, starts, is_query, row, scale, side: tl.constexpr):
    """(queries, rows of a tile), in the same units."""
    bias = tl.load(
        rows + starts[:, None] + row[None, :],
        mask=is_query[:, None] & (row < side)[None, :],
        other=-3000.0,  # rows beyond the grid: no weight, and finite in float16 when scaled
    )
    return bias / scale


@triton.jit
def _add_tile(scores, v, exponent, highest, total, result):
    """One step of the online softmax: what was found so far, and this tile's keys."""
    higher = tl.maximum(highest, tl.max(scores, 1))
    weights = tl.exp2(scores * exponent - (higher * exponent)[:, None])
    shrink = tl.exp2((highest - higher) * exponent)
    total = total * shrink + tl.sum(weights, 1)
    result = tl.dot(weights.to(v.dtype), v, acc=result * shrink[:, None], input_precision="ieee")
    return higher, total, result


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
    padded_rows: tl.constexpr,
    tile: tl.constexpr,
    num_queries: tl.constexpr,
    head_dim: tl.constexpr,
    log2_e: tl.constexpr,
):
    """One head of one image per program of the second axis, a block of its queries."""
    num_tokens: tl.constexpr = side * side
    tokens_per_tile: tl.constexpr = side * rows_per_tile
    is_even: tl.constexpr = tokens_per_tile == tile and side % rows_per_tile == 0
    index = tl.program_id(1).to(tl.int64)
    batch, head = index // num_heads, index % num_heads
    start = batch * batch_stride + head * head_stride
    queries = tl.program_id(0) * num_queries + tl.arange(0, num_queries)
    is_query = queries < num_tokens
    bias_start = (index * num_tokens + queries) * side
    channels = tl.arange(0, head_dim)
    place = tl.arange(0, tile)
    row_in_tile = tl.arange(0, padded_rows)
    q_places = start + queries[:, None] * token_stride + channels[None, :]
    q = tl.load(query + q_places, mask=is_query[:, None], other=0.0)
    column_bias = _load_column_bias(
        columns, bias_start, is_query, scale, side, tile, tokens_per_tile
    )
    is_in_row = (row_in_tile[:, None] == (place // side)[None, :]).to(q.dtype)
    highest = tl.full((num_queries,), float("-inf"), tl.float32)
    total = tl.zeros((num_queries,), tl.float32)
    result = tl.zeros((num_queries, head_dim), tl.float32)
    for first_row in range(0, side, rows_per_tile):
        keys = first_row * side + place
        k_places = start + keys[None, :] * token_stride + channels[:, None]
        v_places = start + keys[:, None] * token_stride + channels[None, :]
        if is_even:
            k, v = tl.load(key + k_places), tl.load(value + v_places)
        else:
            k = tl.load(key + k_places, mask=(keys < num_tokens)[None, :], other=0.0)
            v = tl.load(value + v_places, mask=(keys < num_tokens)[:, None], other=0.0)
        row_bias = _load_row_bias(rows, bias_start, is_query, first_row + row_in_tile, scale, side)
        scores = tl.dot(q, k, acc=column_bias, input_precision="ieee")
        scores = tl.dot(row_bias.to(q.dtype), is_in_row, acc=scores, input_precision="ieee")
        highest, total, result = _add_tile(scores, v, scale * log2_e, highest, total, result)
    target = (batch * num_tokens + queries) * num_heads + head
    tl.store(
        out + target[:, None] * head_dim + channels[None, :],
        (result / total[:, None]).to(out.dtype.element_ty),
        mask=is_query[:, None],
    )


@torch.compiler.disable
def attend_on_grid(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    row_table: Tensor,
    column_table: Tensor,
    blocks: Blocks = Blocks(),  # noqa: B008 - a tuple: it cannot change
) -> Tensor:
    """query, key, value: (batch, side**2, heads, head_dim) of one layout, such as parts of a qkv.

    row_table, column_table: (side, side, head_dim), what a query of one row (column) is multiplied
    with for its scores with the keys of another -> (batch, side**2, heads * head_dim)
    """
    batch, num_tokens, num_heads, head_dim = query.shape
    side = row_table.shape[0]
    strides = query.stride(0), query.stride(1), query.stride(2)
    scores = query.new_empty((2, batch, num_heads, num_tokens, side))
    _score_positions[side, batch * num_heads, 2](
        query,
        row_table.contiguous(),
        column_table.contiguous(),
        scores,
        *strides,
        num_heads,
        side=side,
        padded_side=max(_SMALLEST_SIDE, triton.next_power_of_2(side)),
        head_dim=head_dim,
        num_warps=4,
    )
    rows_per_tile = max(1, blocks.tile // side)
    out = query.new_empty((batch, num_tokens, num_heads * head_dim))
    _attend[triton.cdiv(num_tokens, blocks.queries), batch * num_heads](
        query,
        key,
        value,
        *scores,
        out,
        *strides,
        num_heads,
        head_dim**-0.5,
        side=side,
        rows_per_tile=rows_per_tile,
        padded_rows=max(_SMALLEST_SIDE, triton.next_power_of_2(rows_per_tile)),
        tile=triton.next_power_of_2(rows_per_tile * side),
        num_queries=blocks.queries,
        head_dim=head_dim,
        log2_e=_LOG2_E,
        num_warps=blocks.num_warps,
        num_stages=blocks.num_stages,
    )
    return out
