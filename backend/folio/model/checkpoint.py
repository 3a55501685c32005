"""Names and shapes of the tensors in a published checkpoint, derived from its config.

vLLM's decoder packs several tensors of the checkpoint into one parameter and does not notice when
one of them is absent: only the names on disk can tell.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig

# In the published checkpoint, and never read: CLIP gets SAM's features instead of patches.
UNUSED_TENSOR = "model.vision_model.embeddings.patch_embedding.weight"

Shape = tuple[int, ...]


class DecoderConfig(Protocol):
    """The part of `language_config` that decides on names and shapes."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    moe_intermediate_size: int
    num_hidden_layers: int
    first_k_dense_replace: int
    n_routed_experts: int
    n_shared_experts: int


def tensor_shapes(encoder: DeepEncoderConfig, decoder: DecoderConfig) -> dict[str, Shape]:
    """Every tensor that a checkpoint must hold, by its published name."""
    return {**encoder_shapes(encoder), **decoder_shapes(decoder)}


def encoder_shapes(config: DeepEncoderConfig) -> dict[str, Shape]:
    with torch.device("meta"):
        encoder = DeepEncoder(config)
    return {f"model.{name}": tuple(tensor.shape) for name, tensor in encoder.named_parameters()}


def decoder_shapes(config: DecoderConfig) -> dict[str, Shape]:
    hidden_size, vocab_size = config.hidden_size, config.vocab_size
    shapes: dict[str, Shape] = {
        "lm_head.weight": (vocab_size, hidden_size),
        "model.embed_tokens.weight": (vocab_size, hidden_size),
        "model.norm.weight": (hidden_size,),
    }
    for index in range(config.num_hidden_layers):
        layer = f"model.layers.{index}"
        shapes |= attention_shapes(layer, hidden_size)
        if index < config.first_k_dense_replace:
            shapes |= mlp_shapes(f"{layer}.mlp", hidden_size, config.intermediate_size)
        else:
            shapes |= mixture_shapes(f"{layer}.mlp", config)
    return shapes


def attention_shapes(layer: str, hidden_size: int) -> dict[str, Shape]:
    norms = [f"{layer}.{name}.weight" for name in ("input_layernorm", "post_attention_layernorm")]
    projections = [f"{layer}.self_attn.{name}_proj.weight" for name in "qkvo"]
    return {
        **dict.fromkeys(norms, (hidden_size,)),
        **dict.fromkeys(projections, (hidden_size, hidden_size)),
    }


def mlp_shapes(prefix: str, hidden_size: int, width: int) -> dict[str, Shape]:
    return {
        f"{prefix}.gate_proj.weight": (width, hidden_size),
        f"{prefix}.up_proj.weight": (width, hidden_size),
        f"{prefix}.down_proj.weight": (hidden_size, width),
    }


def mixture_shapes(prefix: str, config: DecoderConfig) -> dict[str, Shape]:
    hidden_size, width = config.hidden_size, config.moe_intermediate_size
    shapes: dict[str, Shape] = {f"{prefix}.gate.weight": (config.n_routed_experts, hidden_size)}
    for expert in range(config.n_routed_experts):
        shapes |= mlp_shapes(f"{prefix}.experts.{expert}", hidden_size, width)
    shared_width = width * config.n_shared_experts
    return shapes | mlp_shapes(f"{prefix}.shared_experts", hidden_size, shared_width)


def checked(
    weights: Iterable[tuple[str, Tensor]], expected: Mapping[str, Shape]
) -> Iterator[tuple[str, Tensor]]:
    """Pass the weights on, and raise ValueError with the name for any that does not belong, has
    another shape, or has not come by the end. Tensors known to be unused are left out.
    """
    missing = set(expected)
    for name, tensor in weights:
        if name == UNUSED_TENSOR:
            continue
        if name not in expected:
            raise ValueError(f"the checkpoint has a tensor that this model does not know: {name}")
        if tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"the checkpoint's {name} has shape {tuple(tensor.shape)}, "
                f"its config says {expected[name]}"
            )
        missing.discard(name)
        yield name, tensor
    if missing:
        raise ValueError(f"the checkpoint lacks {name_some(missing)}")


def name_some(names: set[str], limit: int = 5) -> str:
    shown = sorted(names)[:limit]
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{len(names)} tensor(s): {', '.join(shown)}{rest}"
