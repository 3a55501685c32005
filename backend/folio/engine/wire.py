"""How a page travels to an engine in another process. Its text comes back as in `answers.py`.

4 bytes (big-endian) give the length of the prelude, which is JSON; after it come the pixels, as
`pixels.py` writes them. The peer is not trusted: a request that does not fit together would stop
the engine for everybody.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from folio.engine.base import GenerationRequest, NoRepeatNgram
from folio.engine.pixels import PixelFormat, decode_pixels, encode_pixels
from folio.errors import ImageTooLargeError, InvalidInputError
from folio.preprocessing.resolution import Mode, Resolution, resolve
from folio.preprocessing.tiling import CropGrid

INFER_PATH = "/internal/infer"
PAGE_MEDIA_TYPE = "application/vnd.folio.page"

MAX_PRELUDE_BYTES = 64 * 1024
_MAX_PROMPT_CHARACTERS = 10_000
_MAX_NGRAM_TOKENS = 4096  # as the logits processor has it
_IMAGE = "<image>"
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class WireLimits:
    """What an engine's side takes in. `max_crops` is the most local views of a page."""

    max_page_pixels: int
    max_side_pixels: int
    max_crops: int

    @property
    def max_body_bytes(self) -> int:
        """Of a whole request. A page may be a row and a column over its limit, by rounding."""
        max_pixels = self.max_page_pixels + 2 * self.max_side_pixels + 1
        return _LENGTH.size + MAX_PRELUDE_BYTES + 3 * max_pixels


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class _NoRepeatNgram(_Shape):
    ngram_size: int = Field(ge=2, le=_MAX_NGRAM_TOKENS)
    window_size: int = Field(ge=2, le=_MAX_NGRAM_TOKENS)
    allowed_tokens: list[Annotated[str, Field(max_length=64)]] = Field(max_length=64)

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window_size < self.ngram_size:
            raise ValueError("window_size is smaller than ngram_size")
        return self


class _Resolution(_Shape):
    base_size: int
    keep_aspect: bool
    columns: int
    rows: int


class _Prelude(_Shape):
    version: Literal[1] = 1
    request_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    num_channels: Literal[1, 3]
    num_inked_groups: int | None = Field(ge=0)
    prompt: str = Field(max_length=_MAX_PROMPT_CHARACTERS)
    resolution: _Resolution
    max_tokens: int | None = Field(ge=1, le=1_000_000)
    no_repeat_ngram: _NoRepeatNgram | None

    @model_validator(mode="after")
    def _check_prompt(self) -> Self:
        if self.prompt.count(_IMAGE) != 1:
            raise ValueError(f"the prompt must contain {_IMAGE} exactly once")
        return self


def encode_request(request: GenerationRequest) -> Sequence[memoryview]:
    """The request's body, in pieces that may be views of its image: ready to be sent in order."""
    pixel_format, parts = encode_pixels(request.image)
    prelude = _prelude_of(request, pixel_format).model_dump_json().encode()
    head = memoryview(_LENGTH.pack(len(prelude)) + prelude)
    return [head, *(part.data for part in parts)]


def decode_request(body: NDArray[np.uint8], limits: WireLimits) -> GenerationRequest:
    """The request of a whole body, which its image may be a view of. body: uint8 (bytes,).

    Raises InvalidInputError, ImageTooLargeError.
    """
    prelude, pixels = _split(body)
    _check_size(prelude, limits)
    resolution = _checked_resolution(prelude, limits)
    pixel_format = PixelFormat(
        prelude.width, prelude.height, prelude.num_channels, prelude.num_inked_groups
    )
    return GenerationRequest(
        request_id=prelude.request_id,
        image=decode_pixels(pixel_format, pixels),
        prompt=prelude.prompt,
        resolution=resolution,
        max_tokens=prelude.max_tokens,
        no_repeat_ngram=_no_repeat_ngram(prelude.no_repeat_ngram),
    )


def _prelude_of(request: GenerationRequest, pixel_format: PixelFormat) -> _Prelude:
    """Raises InvalidInputError for what no engine would take."""
    resolution, grid = request.resolution, request.resolution.crop_grid
    rule = request.no_repeat_ngram
    fields: dict[str, Any] = {
        "request_id": request.request_id,
        "width": pixel_format.width,
        "height": pixel_format.height,
        "num_channels": pixel_format.num_channels,
        "num_inked_groups": pixel_format.num_inked_groups,
        "prompt": request.prompt,
        "resolution": {
            "base_size": resolution.base_size,
            "keep_aspect": resolution.keep_aspect,
            "columns": grid.columns,
            "rows": grid.rows,
        },
        "max_tokens": request.max_tokens,
        "no_repeat_ngram": rule
        and {
            "ngram_size": rule.ngram_size,
            "window_size": rule.window_size,
            "allowed_tokens": list(rule.allowed_tokens),
        },
    }
    try:
        return _Prelude.model_validate(fields)
    except ValidationError as error:
        raise InvalidInputError(f"The page cannot be asked for: {_first(error)}.") from error


def _split(body: NDArray[np.uint8]) -> tuple[_Prelude, NDArray[np.uint8]]:
    if body.size < _LENGTH.size:
        raise InvalidInputError("The body is no page: it ends before its prelude.")
    (length,) = _LENGTH.unpack(body[: _LENGTH.size].tobytes())
    end = _LENGTH.size + length
    if length > MAX_PRELUDE_BYTES or end > body.size:
        raise InvalidInputError("The body is no page: its prelude is longer than it can be.")
    try:
        prelude = _Prelude.model_validate_json(body[_LENGTH.size : end].tobytes())
    except ValidationError as error:
        raise InvalidInputError(
            f"The page's prelude is not understood: {_first(error)}. Run the same version of "
            "Folio on both sides."
        ) from error
    return prelude, body[end:]


def _first(error: ValidationError) -> str:
    item = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, item["loc"]))
    return f"{place}: {item['msg']}" if place else item["msg"]


def _check_size(prelude: _Prelude, limits: WireLimits) -> None:
    width, height = prelude.width, prelude.height
    if max(width, height) > limits.max_side_pixels:
        raise ImageTooLargeError(
            f"The page is {width:,} x {height:,} pixels; its longer side may have "
            f"{limits.max_side_pixels:,}. Raise MAX_IMAGE_SIDE where the engine runs."
        )
    if width * height > limits.max_page_pixels + width + height + 1:
        raise ImageTooLargeError(
            f"The page has {width * height:,} pixels; {limits.max_page_pixels:,} are accepted. "
            "Set MAX_PAGE_PIXELS alike for the workers and where the engine runs."
        )


def _checked_resolution(prelude: _Prelude, limits: WireLimits) -> Resolution:
    """What the peer says, if it is what some mode gives for a page of this size."""
    said = prelude.resolution
    resolution = Resolution(said.base_size, said.keep_aspect, CropGrid(said.columns, said.rows))
    width, height = prelude.width, prelude.height
    known = {resolve(mode, width, height) for mode in Mode if mode is not Mode.GUNDAM}
    for max_crops in range(2, limits.max_crops + 1):
        known.add(resolve(Mode.GUNDAM, width, height, max_crops=max_crops))
    if resolution not in known:
        raise InvalidInputError(
            f"No mode shows a page of {width} x {height} pixels as {said.base_size} and "
            f"{said.columns} x {said.rows} views. Set MAX_CROPS alike for the workers and where "
            "the engine runs."
        )
    return resolution


def _no_repeat_ngram(rule: _NoRepeatNgram | None) -> NoRepeatNgram | None:
    if rule is None:
        return None
    return NoRepeatNgram(rule.ngram_size, rule.window_size, tuple(rule.allowed_tokens))
