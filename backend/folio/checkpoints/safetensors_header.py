"""The head of a safetensors file: which tensors it holds, and how long the file must be.

Source: the format's page at github.com/huggingface/safetensors. Reads no tensor.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # as the format says
_GIT_LFS_POINTER = b"version "
_BITS = {"BOOL": 8, "I64": 64, "U64": 64, "F64": 64, "I32": 32, "U32": 32, "F32": 32}
_BITS |= {"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I8": 8, "U8": 8, "F8_E4M3": 8, "F8_E5M2": 8}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor, by the header."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        return self.num_elements * _BITS.get(self.dtype, 8) // 8


class _HeaderEntry(BaseModel):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def read_header(path: Path) -> Mapping[str, TensorEntry]:
    """The tensors by name. Raises ValueError that says what is wrong with the file."""
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        length = header_length(file.read(LENGTH_BYTES), num_bytes)
        header = _parse(file.read(length))
    end = max((entry.data_offsets[1] for entry in header.values()), default=0)
    expected = LENGTH_BYTES + length + end
    if num_bytes != expected:
        raise ValueError(f"has {num_bytes:,} of {expected:,} bytes")
    return _entries(header)


def parse_header(data: bytes) -> Mapping[str, TensorEntry]:
    """The tensors by name, of a header without the length before it. Raises ValueError."""
    return _entries(_parse(data))


def header_length(start: bytes, num_bytes: int) -> int:
    """Of the header, by the first eight bytes of a file of so many. Raises ValueError."""
    if start == _GIT_LFS_POINTER:
        raise ValueError("is a pointer of Git LFS and not the file itself; run: git lfs pull")
    length = int.from_bytes(start, "little")
    if len(start) < LENGTH_BYTES or length > min(_MAX_HEADER_BYTES, num_bytes):
        raise ValueError(f"has {num_bytes:,} bytes and no header: it is cut or no safetensors")
    return length


def _entries(header: Mapping[str, _HeaderEntry]) -> Mapping[str, TensorEntry]:
    return {name: TensorEntry(entry.dtype, entry.shape) for name, entry in header.items()}


def _parse(data: bytes) -> dict[str, _HeaderEntry]:
    try:
        fields = json.loads(data)
        fields.pop("__metadata__", None)
        return {name: _HeaderEntry.model_validate(entry) for name, entry in fields.items()}
    except (ValueError, AttributeError) as error:
        raise ValueError("has a damaged header") from error
