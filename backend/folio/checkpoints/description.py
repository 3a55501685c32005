"""What a model's folder says of the model: sizes, types, limits. Knows nothing of torch."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from folio.checkpoints.folder import CONFIG_NAME, read_json, shard_names
from folio.checkpoints.safetensors_header import TensorEntry, read_header
from folio.errors import ModelFilesError

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_TOWER_PREFIXES = (
    "model.sam_model.",
    "model.vision_model.",
    "model.projector.",
    "model.image_newline",
    "model.view_seperator",  # (sic), as in the checkpoint
)


@dataclass(frozen=True)
class StoredWeights:
    """Bytes on disk: of the vision tower, which is never quantised nor split, and of the rest."""

    tower_bytes: int
    decoder_bytes: int


@dataclass(frozen=True)
class ModelDescription:
    """What config.json and the headers of the weights say."""

    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    hidden_size: int
    intermediate_size: int
    moe_intermediate_size: int
    num_shared_experts: int
    num_experts_per_token: int
    vocab_size: int
    max_model_len: int
    tower_width: int
    tower_heads: int
    dtype: str
    quantization: str | None
    names_unquantised: bool  # whether the config lists the modules that are not quantised
    weights: StoredWeights

    def weights_bytes(self, dtype: str, *, quantization: str | None = None) -> StoredWeights:
        """In memory. A quantised checkpoint stays as it is, other weights take the dtype's size;
        `quantization` of such a checkpoint (fp8) is done while it is loaded."""
        if self.quantization is not None:
            return self.weights
        scale = DTYPE_BYTES[dtype] / DTYPE_BYTES[self.dtype]
        tower = int(self.weights.tower_bytes * scale)
        decoder = int(self.weights.decoder_bytes * scale)
        if quantization is None:
            return StoredWeights(tower, decoder)
        embeddings = 2 * self.vocab_size * self.hidden_size * DTYPE_BYTES[dtype]
        linear = max(0, decoder - embeddings) // DTYPE_BYTES[dtype]
        return StoredWeights(tower, embeddings + linear)


def describe(folder: Path) -> ModelDescription:
    """Raises ModelFilesError. The folder has passed `check_folder`."""
    return describe_config(read_json(folder / CONFIG_NAME), stored_weights(folder))


def describe_config(config: Mapping[str, Any], weights: StoredWeights) -> ModelDescription:
    """Of a published config.json, whose decoder is in `language_config`."""
    try:
        return _describe(config, config.get("language_config") or config, weights)
    except (KeyError, TypeError) as error:
        raise ModelFilesError(f"{CONFIG_NAME} says nothing of {error}.") from error


def _describe(
    config: Mapping[str, Any], decoder: Mapping[str, Any], weights: StoredWeights
) -> ModelDescription:
    tower = config["vision_config"]["width"]["sam_vit_b"]
    num_heads = decoder["num_attention_heads"]
    return ModelDescription(
        num_layers=decoder["num_hidden_layers"],
        num_heads=num_heads,
        num_kv_heads=decoder.get("num_key_value_heads") or num_heads,
        head_dim=decoder["hidden_size"] // num_heads,
        hidden_size=decoder["hidden_size"],
        intermediate_size=decoder["intermediate_size"],
        moe_intermediate_size=decoder["moe_intermediate_size"],
        num_shared_experts=decoder["n_shared_experts"],
        num_experts_per_token=decoder["num_experts_per_tok"],
        vocab_size=decoder["vocab_size"],
        max_model_len=decoder["max_position_embeddings"],
        tower_width=tower["width"],
        tower_heads=tower["heads"],
        dtype=_dtype(config, decoder),
        quantization=_quantization(config, decoder),
        names_unquantised=bool(_quantization_config(config, decoder).get("modules_to_not_convert")),
        weights=weights,
    )


def stored_weights(folder: Path) -> StoredWeights:
    """Sizes by the headers. A file that cannot be read counts nothing."""
    headers = []
    for name in shard_names(folder):
        with suppress(OSError, ValueError):
            headers.append(read_header(folder / name))
    return sum_weights(headers)


def sum_weights(headers: Iterable[Mapping[str, TensorEntry]]) -> StoredWeights:
    """Of all files of a checkpoint."""
    num_bytes = {True: 0, False: 0}
    for header in headers:
        for tensor, entry in header.items():
            num_bytes[is_of_tower(tensor)] += entry.num_bytes
    return StoredWeights(tower_bytes=num_bytes[True], decoder_bytes=num_bytes[False])


def is_of_tower(tensor: str) -> bool:
    """Whether a tensor of a published checkpoint belongs to the vision tower."""
    return tensor.startswith(_TOWER_PREFIXES)


def _dtype(config: Mapping[str, Any], decoder: Mapping[str, Any]) -> str:
    for fields in (config, decoder):
        # transformers 5 writes `dtype`, earlier ones `torch_dtype`.
        dtype = fields.get("dtype") or fields.get("torch_dtype")
        if dtype in DTYPE_BYTES:
            return str(dtype)
    return "bfloat16"


def _quantization(config: Mapping[str, Any], decoder: Mapping[str, Any]) -> str | None:
    quantization = _quantization_config(config, decoder)
    if not quantization:
        return None
    return str(quantization.get("quant_method", "compressed-tensors")).lower()


def _quantization_config(
    config: Mapping[str, Any], decoder: Mapping[str, Any]
) -> Mapping[str, Any]:
    for fields in (config, decoder):
        quantization = fields.get("quantization_config") or fields.get("compression_config")
        if quantization:
            return dict(quantization)
    return {}
