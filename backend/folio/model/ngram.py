"""Which tokens would complete an n-gram that the window already holds. Arrays in, arrays out.

A token is banned if the last `ngram_size - 1` tokens, followed by it, already stand within the last
`window_size` tokens. Two forms of one rule: `TokenRing` for histories on the host, which carries
its comparisons from token to token, and `ban_repeats` for histories on a GPU, which compares anew
and never synchronises. Knows nothing of vLLM.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_WINDOW_SIZE = 4096
MAX_ALLOWED_TOKENS = 64
NO_TOKEN = -1

Ints = NDArray[np.integer]


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


class DeviceRules(NamedTuple):
    """On the device, by request slot. ngram_sizes (0: no rule), window_sizes: int32 (slots,);
    allowed: int32 (slots, any)."""

    ngram_sizes: Tensor
    window_sizes: Tensor
    allowed: Tensor


class TokenRing:
    """The last tokens of many requests on the host, one row each, and what their rules ban.

    Row r holds token number i of its request in cell i % capacity; nothing is ever shifted.
    `matches[r, c]` is how many tokens ending in cell c equal the row's last tokens: one more than
    the cell before it had at the previous token, or none. So a step costs one look at each cell,
    however long the n-grams are and however much the output repeats itself.
    """

    def __init__(self, num_rows: int, capacity: int = 1) -> None:
        self.tokens: Ints = np.full((num_rows, capacity), NO_TOKEN, dtype=np.int32)
        self.matches: Ints = np.zeros((num_rows, capacity), dtype=np.int32)
        self.lengths: Ints = np.zeros(num_rows, dtype=np.int32)
        self.ngram_sizes: Ints = np.zeros(num_rows, dtype=np.int32)
        self.window_sizes: Ints = np.zeros(num_rows, dtype=np.int32)
        self.allowed: Ints = np.full((num_rows, 1), NO_TOKEN, dtype=np.int32)

    @property
    def capacity(self) -> int:
        return self.tokens.shape[1]

    def start(self, row: int, params: NoRepeatNgramParams, token_ids: Sequence[int] = ()) -> None:
        """Give a row to a request that has this output so far."""
        self.ngram_sizes[row] = params.ngram_size
        self.window_sizes[row] = params.window_size
        self.allowed = with_allowed_tokens(self.allowed, row, params)
        self.refill(row, token_ids)

    def refill(self, row: int, token_ids: Sequence[int]) -> None:
        """Set a row's history, of which it needs the end only."""
        first = max(0, len(token_ids) - self.capacity)
        self.tokens[row] = NO_TOKEN
        self.matches[row] = 0
        self.lengths[row] = first
        for token_id in token_ids[first:]:
            self.append([row], [token_id])

    def append(self, rows: Sequence[int] | Ints, token_ids: Sequence[int] | Ints) -> None:
        """One more token for each of the rows."""
        equal = self.tokens[rows] == np.asarray(token_ids, dtype=np.int32)[:, None]
        matches = self.matches[rows]
        longer = np.roll(matches, 1, axis=1) + 1
        self.matches[rows] = longer * equal
        cells = self.lengths[rows] % self.capacity
        self.matches[rows, cells] = 0
        self.tokens[rows, cells] = token_ids
        self.lengths[rows] += 1

    def find_banned(self, rows: Ints) -> tuple[Ints, Ints]:
        """(index into rows, token id) of every ban."""
        repeats = self.matches[rows] >= self.ngram_sizes[rows, None] - 1
        if not repeats.any():
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing
        index, cell = np.nonzero(repeats)
        row = rows[index]
        age = (self.lengths[row] - 1 - cell) % self.capacity
        token_ids = self.tokens[row, (cell + 1) % self.capacity]
        oldest = np.minimum(self.window_sizes[row], self.lengths[row]) - self.ngram_sizes[row] + 1
        spared = (token_ids[:, None] == self.allowed[row]).any(axis=1)
        banned = (age <= oldest) & ~spared
        return index[banned], token_ids[banned].astype(np.int64)


def with_allowed_tokens(allowed: Ints, row: int, params: NoRepeatNgramParams) -> Ints:
    """The table of allowed tokens with a row set; wider than before if the row needs it."""
    missing = len(params.allowed_token_ids) - allowed.shape[1]
    if missing > 0:
        allowed = np.pad(allowed, ((0, 0), (0, missing)), constant_values=NO_TOKEN)
    allowed[row] = NO_TOKEN
    allowed[row, : len(params.allowed_token_ids)] = params.allowed_token_ids
    return allowed


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
