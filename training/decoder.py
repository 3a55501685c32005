"""DeepSeek's decoder in plain PyTorch, for training and measuring.

Names and arithmetic are the published checkpoint's, but a layer has its experts as three tensors.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class DecoderConfig:
    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    num_experts: int
    num_experts_per_token: int
    expert_size: int
    num_shared_experts: int
    rope_theta: float
    rms_norm_eps: float

    @classmethod
    def from_published(cls, language_config: dict[str, Any]) -> "DecoderConfig":
        return cls(
            vocab_size=language_config["vocab_size"],
            hidden_size=language_config["hidden_size"],
            num_layers=language_config["num_hidden_layers"],
            num_heads=language_config["num_attention_heads"],
            intermediate_size=language_config["intermediate_size"],
            num_experts=language_config["n_routed_experts"],
            num_experts_per_token=language_config["num_experts_per_tok"],
            expert_size=language_config["moe_intermediate_size"],
            num_shared_experts=language_config["n_shared_experts"],
            rope_theta=language_config["rope_theta"],
            rms_norm_eps=language_config["rms_norm_eps"],
        )


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        normed = functional.rms_norm(x.float(), (x.shape[-1],), eps=self.eps)
        return normed.to(x.dtype) * self.weight


def rope_angles(
    start: int, end: int, head_dim: int, theta: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each (positions, head_dim / 2)."""
    frequencies = theta ** (-torch.arange(0, head_dim, 2, device=device).float() / head_dim)
    angles = torch.outer(torch.arange(start, end, device=device).float(), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = angles
    first, second = x.float().chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)


class KeyValueCache:
    """Keys and values of one layer: (batch, heads, capacity, head_dim) each."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values
        self.length = 0

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + key.shape[2]
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class Attention(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads = config.num_heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], cache: KeyValueCache | None = None
    ) -> Tensor:
        batch, length, width = x.shape
        query, key, value = (
            layer(x).view(batch, length, self.num_heads, -1).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, angles), rotate(key, angles)
        if cache is not None:
            key, value = cache.extend(key, value)
        out = functional.scaled_dot_product_attention(
            query, key, value, is_causal=cache is None or length > 1
        )
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """All experts at once: two large products, weighted by zero where an expert was not chosen."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        shape = (config.num_experts, config.expert_size, config.hidden_size)
        self.gate_proj = nn.Parameter(torch.empty(shape))
        self.up_proj = nn.Parameter(torch.empty(shape))
        self.down_proj = nn.Parameter(torch.empty(shape[0], shape[2], shape[1]))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x: (batch, tokens, width); weights: (batch, tokens, experts)."""
        num_experts, inner, width = self.gate_proj.shape
        gate = functional.linear(x, self.gate_proj.reshape(num_experts * inner, width))
        up = functional.linear(x, self.up_proj.reshape(num_experts * inner, width))
        hidden = (functional.silu(gate) * up).unflatten(-1, (num_experts, inner)) * weights[
            ..., None
        ]
        return functional.linear(
            hidden.flatten(-2), self.down_proj.permute(1, 0, 2).reshape(width, -1)
        )


class MixtureOfExperts(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_token
        self.gate = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.experts = Experts(config)
        self.shared_experts = Mlp(
            config.hidden_size, config.expert_size * config.num_shared_experts
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the loss that keeps the experts evenly used."""
        scores = functional.linear(x.float(), self.gate.weight.float()).softmax(-1)
        top_scores, top_experts = scores.topk(self.top_k, -1)
        weights = torch.zeros_like(scores).scatter(-1, top_experts, top_scores)
        out = self.shared_experts(x) + self.experts(x, weights.to(x.dtype))
        num_experts = scores.shape[-1]
        used = (weights > 0).float().flatten(0, -2).mean(0) * num_experts / self.top_k
        return out, (used * scores.flatten(0, -2).mean(0)).sum()


class DecoderLayer(nn.Module):
    def __init__(self, config: DecoderConfig, index: int) -> None:
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.is_dense = index == 0
        self.mlp = (
            Mlp(config.hidden_size, config.intermediate_size)
            if self.is_dense
            else MixtureOfExperts(config)
        )

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], cache: KeyValueCache | None = None
    ) -> tuple[Tensor, Tensor]:
        x = x + self.self_attn(self.input_layernorm(x), angles, cache)
        normed = self.post_attention_layernorm(x)
        if self.is_dense:
            return x + self.mlp(normed), x.new_zeros((), dtype=torch.float32)
        out, balance = self.mlp(normed)
        return x + out, balance
