"""Which tokens would complete an n-gram that the window already holds. Arrays in, arrays out.

A token is banned if the last `ngram_size - 1` tokens, followed by it, already stand within the last
`window_size` tokens. Two forms of one rule: `TokenRing` for histories on the host, where looking at
the few places that match the last token is cheapest, and `ban_repeats` for histories on a GPU,
where one dense comparison without a synchronisation is. Knows nothing of vLLM.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_WINDOW_SIZE = 4096
MAX_ALLOWED_TOKENS = 64
NO_TOKEN = -1
# Places that match the last token are compared this many tokens at a time, most differ early.
COMPARE_CHUNK = 8

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class NoRepeatNgramParams:
    """One request's rule. `allowed_token_ids` are never banned."""

    ngram_size: int
    window_size: int
    allowed_token_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require_int("ngram_size", self.ngram_size, 2, MAX_WINDOW_SIZE)
        require_int("window_size", self.window_size, self.ngram_size, MAX_WINDOW_SIZE)
        if len(self.allowed_token_ids) > MAX_ALLOWED_TOKENS:
            raise ValueError(f"allowed_token_ids holds more than {MAX_ALLOWED_TOKENS} tokens")
        for token_id in self.allowed_token_ids:
            require_int("allowed_token_ids", token_id, 0, 2**31 - 1)

    @classmethod
    def from_mapping(cls, values: object) -> Self:
        """From a request's own words. Raises ValueError for anything that is not understood."""
        if not isinstance(values, Mapping):
            raise ValueError(f"no_repeat_ngram must be an object, not {values!r}")
        unknown = set(values) - {"ngram_size", "window_size", "allowed_token_ids"}
        if unknown or not {"ngram_size", "window_size"} <= set(values):
            raise ValueError(
                "no_repeat_ngram takes ngram_size, window_size and, if wanted, allowed_token_ids; "
                f"got {sorted(map(str, values))}"
            )
        allowed = values.get("allowed_token_ids", ())
        if isinstance(allowed, str) or not isinstance(allowed, Sequence):
            raise ValueError(f"allowed_token_ids must be a list of token ids, not {allowed!r}")
        return cls(values["ngram_size"], values["window_size"], tuple(allowed))


def require_int(name: str, value: object, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(f"{name} must be an integer from {lowest} to {highest}, got {value!r}")


class TokenRing:
    """The last tokens of many requests on the host, one row each, and what their rules ban.

    Row r holds token number i of its request in cell i % capacity; nothing is ever shifted.
    """

    def __init__(self, num_rows: int) -> None:
        self.tokens: Ints = np.full((num_rows, 1), NO_TOKEN)
        self.lengths: Ints = np.zeros(num_rows, dtype=np.int64)
        self.ngram_sizes: Ints = np.zeros(num_rows, dtype=np.int64)
        self.window_sizes: Ints = np.zeros(num_rows, dtype=np.int64)
        self.allowed: Ints = np.full((num_rows, 1), NO_TOKEN)

    @property
    def capacity(self) -> int:
        return self.tokens.shape[1]

    def fits(self, params: NoRepeatNgramParams) -> bool:
        return params.window_size <= self.capacity

    def grow(self, window_size: int) -> None:
        """Make room for a larger window. Forgets all tokens: every row has to be refilled."""
        self.tokens = np.full((len(self.tokens), window_size), NO_TOKEN)

    def start(self, row: int, params: NoRepeatNgramParams, token_ids: Sequence[int]) -> None:
        """Give a row to a request that has this output so far."""
        self.ngram_sizes[row] = params.ngram_size
        self.window_sizes[row] = params.window_size
        missing = len(params.allowed_token_ids) - self.allowed.shape[1]
        if missing > 0:
            self.allowed = np.pad(self.allowed, ((0, 0), (0, missing)), constant_values=NO_TOKEN)
        self.allowed[row] = NO_TOKEN
        self.allowed[row, : len(params.allowed_token_ids)] = params.allowed_token_ids
        self.refill(row, token_ids)

    def refill(self, row: int, token_ids: Sequence[int]) -> None:
        """Set a row's history, of which it needs the end only."""
        first = max(0, len(token_ids) - self.capacity)
        positions = np.arange(first, len(token_ids))
        self.tokens[row] = NO_TOKEN
        self.tokens[row, positions % self.capacity] = token_ids[first:]
        self.lengths[row] = len(token_ids)

    def append(self, rows: Sequence[int], token_ids: Sequence[int]) -> None:
        """One more token for each of the rows."""
        self.tokens[rows, self.lengths[rows] % self.capacity] = token_ids
        self.lengths[rows] += 1

    def find_banned(self, rows: Ints) -> tuple[Ints, Ints]:
        """(index into rows, token id) of every ban."""
        length = self.lengths[rows]
        last = self.tokens[rows, (length - 1) % self.capacity]
        index, cell = np.nonzero(self.tokens[rows] == last[:, None])
        index, cell = self.keep_whole_ngrams(rows, index, cell)
        index, cell = self.keep_equal_prefixes(rows, index, cell)
        token_ids = self.tokens[rows[index], (cell + 1) % self.capacity]
        banned = (token_ids[:, None] != self.allowed[rows[index]]).all(axis=1)
        return index[banned], token_ids[banned]

    def keep_whole_ngrams(self, rows: Ints, index: Ints, cell: Ints) -> tuple[Ints, Ints]:
        """Of the cells that equal the last token: those that end a prefix within the window."""
        row = rows[index]
        length = self.lengths[row]
        age = (length - 1 - cell) % self.capacity
        oldest = np.minimum(self.window_sizes[row], length) - self.ngram_sizes[row] + 1
        whole = (age >= 1) & (age <= oldest)
        return index[whole], cell[whole]

    def keep_equal_prefixes(self, rows: Ints, index: Ints, cell: Ints) -> tuple[Ints, Ints]:
        """Of those: the ones whose preceding tokens equal the last tokens as well."""
        longest = int(self.ngram_sizes[rows].max(initial=0))
        for start in range(1, longest - 1, COMPARE_CHUNK):
            if not len(index):
                break
            row = rows[index][:, None]
            back = np.arange(start, min(start + COMPARE_CHUNK, longest - 1))
            there = self.tokens[row, (cell[:, None] - back) % self.capacity]
            here = self.tokens[row, (self.lengths[row] - 1 - back) % self.capacity]
            equal = ((there == here) | (back > self.ngram_sizes[row] - 2)).all(axis=1)
            index, cell = index[equal], cell[equal]
        return index, cell


def ban_repeats(
    logits: Tensor,
    history: Tensor,
    lengths: Tensor,
    ngram_sizes: Tensor,
    window_sizes: Tensor,
    allowed: Tensor,
    *,
    longest_prefix: int,
) -> None:
    """Set the logits of banned tokens to minus infinity, without a synchronisation.

    logits: (rows, vocabulary). history: (rows, longest_prefix + widest window), each row's newest
    token last. lengths, ngram_sizes (0: no rule), window_sizes: (rows,). allowed: (rows, any).
    """
    width = history.shape[1]
    candidates = history[:, longest_prefix:]
    # (rows, candidates, longest_prefix): the tokens before each candidate, and the last tokens
    before = history.unfold(1, longest_prefix, 1)[:, :-1]
    newest = history[:, width - longest_prefix :]
    back = torch.arange(longest_prefix, 0, -1, device=history.device)
    beyond_prefix = back >= ngram_sizes[:, None]
    equal = (before == newest[:, None]) | beyond_prefix[:, None]
    oldest = width - torch.minimum(window_sizes, lengths) + ngram_sizes - 1
    position = torch.arange(longest_prefix, width, device=history.device)
    in_window = (position >= oldest[:, None]) & (ngram_sizes > 0)[:, None]
    spared = (candidates[..., None] == allowed[:, None]).any(-1)
    banned = equal.all(-1) & in_window & ~spared
    penalty = torch.zeros_like(candidates, dtype=logits.dtype).masked_fill_(banned, -torch.inf)
    logits.scatter_add_(1, candidates.clamp(min=0).long(), penalty)
