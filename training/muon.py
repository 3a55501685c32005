"""Muon for matrices, AdamW for the rest, over float32 master weights of a bfloat16 network."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ADAM_NAMES = (
    "character_map",
    "pos",
    "embed",
    "lm_head",
    "mlp.gate.",
    "image_newline",
    "view_seperator",
)


def is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not any(part in name for part in ADAM_NAMES)


def matrix_shape(name: str, parameter: Tensor) -> tuple[int, int, int]:
    """How a parameter is seen as a stack of matrices: q, k and v apart, experts apart, kernels
    flattened."""
    if "qkv" in name:
        return 3, parameter.shape[0] // 3, parameter.shape[1]
    if parameter.ndim == 3:
        return parameter.shape[0], parameter.shape[1], parameter.shape[2]
    return 1, parameter.shape[0], parameter[0].numel()


def orthogonalise(matrices: Tensor) -> Tensor:
    """Five Newton-Schulz steps toward the nearest orthogonal matrix, batched."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if is_tall else x).float()


class Muon:
    """Momentum, orthogonalised: K. Jordan et al. 2024, with weight decay and an update of constant
    root mean square."""

    def __init__(
        self,
        named: Iterable[tuple[str, Tensor]],
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
    ):
        self.momentum, self.weight_decay = momentum, weight_decay
        self.groups: dict[tuple[int, int], list[tuple[Tensor, tuple[int, int, int]]]] = {}
        for name, parameter in named:
            shape = matrix_shape(name, parameter)
            self.groups.setdefault(shape[1:], []).append((parameter, shape))
        self.buffers = {
            key: torch.zeros(sum(shape[0] for _, shape in group), *key, device=group[0][0].device)
            for key, group in self.groups.items()
        }

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        for key, group in self.groups.items():
            gradient = torch.cat([parameter.grad.reshape(shape) for parameter, shape in group])
            buffer = self.buffers[key]
            buffer.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(buffer, self.momentum)) * (0.2 * max(key) ** 0.5)
            pieces = update.split([shape[0] for _, shape in group])
            parameters = [parameter for parameter, _ in group]
            torch._foreach_mul_(parameters, 1 - learning_rate * self.weight_decay)
            updates = [
                piece.reshape(parameter.shape)
                for piece, parameter in zip(pieces, parameters, strict=True)
            ]
            torch._foreach_add_(parameters, updates, alpha=-learning_rate)


class Optimizer:
    """Both optimisers, the master weights they change, and the running average that is shipped."""

    def __init__(self, network: nn.Module, *, fused: bool) -> None:
        self.live = dict(network.named_parameters())
        self.master = {name: value.detach().float().clone() for name, value in self.live.items()}
        self.average = {name: value.clone() for name, value in self.master.items()}
        matrices = [(name, value) for name, value in self.master.items() if is_matrix(name, value)]
        names = {name for name, _ in matrices}
        rest = [value for name, value in self.master.items() if name not in names]
        self.muon = Muon(matrices)
        decayed = [value for value in rest if value.ndim == 2]
        plain = [value for value in rest if value.ndim != 2]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self.adam = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.97), eps=1e-8, fused=fused)
        self.rest = rest

    @torch.no_grad()
    def step(self, gradients: dict[str, Tensor], *, muon_rate: float, adam_rate: float) -> None:
        for name, gradient in gradients.items():
            self.master[name].grad = gradient
        nn.utils.clip_grad_norm_(self.rest, 1.0, foreach=True)
        for group in self.adam.param_groups:
            group["lr"] = adam_rate
        self.adam.step()
        self.muon.step(muon_rate)
        torch._foreach_copy_(list(self.live.values()), list(self.master.values()))

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        torch._foreach_lerp_(list(self.average.values()), list(self.master.values()), 1 - decay)

    def state_dict(self) -> dict[str, object]:
        return {
            "master": self.master,
            "average": self.average,
            "muon": self.muon.buffers,
            "adam": self.adam.state_dict(),
        }

    @torch.no_grad()
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Goes on from other weights, with fresh momentum; what they do not name stays."""
        for name, value in weights.items():
            for copy in (self.master[name], self.average[name], self.live[name]):
                copy.copy_(value)

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, dict]) -> None:
        for name in self.master:
            self.master[name].copy_(state["master"][name])
            self.average[name].copy_(state["average"][name])
        for key, buffer in self.muon.buffers.items():
            buffer.copy_(state["muon"][key])
        self.adam.load_state_dict(state["adam"])
        torch._foreach_copy_(list(self.live.values()), list(self.master.values()))
