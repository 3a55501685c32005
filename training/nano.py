"""The whole small network: Folio's own vision tower and the plain decoder."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.preprocessing.tiling import NO_CROPS, CropGrid
from training.decoder import DecoderConfig, DecoderLayer, KeyValueCache, RmsNorm, rope_angles
from training.vocabulary import BOS_ID, EOS_ID, PAD_ID

CONFIG_PATH = Path(__file__).with_name("nano-config.json")
RESIDUAL_OUTPUTS = ("attn.proj", "lin2", "out_proj", "fc2", "o_proj", "down_proj")


class NanoModel(DeepEncoder):
    """Everything below `model.` in the checkpoint."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(
            DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
        )
        decoder = DecoderConfig.from_published(config["language_config"])
        self.decoder_config = decoder
        self.embed_tokens = nn.Embedding(decoder.vocab_size, decoder.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(decoder, index) for index in range(decoder.num_layers)
        )
        self.norm = RmsNorm(decoder.hidden_size, decoder.rms_norm_eps)

    def image_tokens(
        self, global_views: Tensor, local_views: Tensor | None, crop_grid: CropGrid
    ) -> Tensor:
        """Encoded views of a batch of pages -> (pages, num_image_tokens, hidden)."""
        assemble = torch.vmap(lambda g: self.assemble(g))
        if crop_grid == NO_CROPS or local_views is None:
            return assemble(global_views)
        pages = local_views.view(-1, crop_grid.num_views, *local_views.shape[1:])
        return torch.vmap(lambda g, pieces: self.assemble(g, pieces, crop_grid))(
            global_views, pages
        )

    def decode(
        self, embeddings: Tensor, *, start: int = 0, caches: list[KeyValueCache] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(batch, tokens, hidden) -> hidden states after the last norm, and the mean balance
        loss."""
        config = self.decoder_config
        head_dim = config.hidden_size // config.num_heads
        end = start + embeddings.shape[1]
        angles = rope_angles(start, end, head_dim, config.rope_theta, embeddings.device)
        balance = torch.zeros((), device=embeddings.device)
        x = embeddings
        for index, layer in enumerate(self.layers):
            x, layer_balance = layer(x, angles, caches[index] if caches else None)
            balance = balance + layer_balance
        return self.norm(x), balance / max(1, config.num_layers - 1)


class Nano(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.model = NanoModel(config)
        self.lm_head = nn.Linear(
            self.model.decoder_config.hidden_size, config["vocab_size"], bias=False
        )

    def embed_prompt(self, image: Tensor, ids: Tensor) -> Tensor:
        """bos, the image's tokens, then the text: (batch, 1 + image tokens + text, hidden)."""
        bos = self.model.embed_tokens.weight[BOS_ID].expand(len(ids), 1, -1)
        return torch.cat([bos, image, self.model.embed_tokens(ids)], 1)

    @torch.no_grad()
    def generate(self, image: Tensor, prompt: Tensor, max_new_tokens: int) -> list[list[int]]:
        """Greedy decoding of a batch of pages that share a prompt length."""
        embeddings = self.embed_prompt(image, prompt)
        batch, length, _ = embeddings.shape
        caches = self._make_caches(embeddings, length + max_new_tokens)
        hidden, _ = self.model.decode(embeddings, caches=caches)
        is_done = torch.zeros(batch, dtype=torch.bool, device=prompt.device)
        output = []
        for position in range(length, length + max_new_tokens):
            token = self.lm_head(hidden[:, -1]).float().argmax(-1).masked_fill(is_done, PAD_ID)
            output.append(token)
            is_done |= token == EOS_ID
            if position % 32 == 0 and bool(is_done.all()):
                break
            hidden, _ = self.model.decode(
                self.model.embed_tokens(token)[:, None], start=position, caches=caches
            )
        return [trim(ids) for ids in torch.stack(output, 1).tolist()]

    def _make_caches(self, like: Tensor, capacity: int) -> list[KeyValueCache]:
        config = self.model.decoder_config
        shape = (like.shape[0], config.num_heads, capacity, config.hidden_size // config.num_heads)
        return [
            KeyValueCache(like.new_zeros(shape), like.new_zeros(shape))
            for _ in range(config.num_layers)
        ]


def trim(ids: list[int]) -> list[int]:
    """What stands before the end token."""
    return ids[: ids.index(EOS_ID)] if EOS_ID in ids else ids


def load_config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(CONFIG_PATH.read_text())
    return config


@torch.no_grad()
def initialise(nano: Nano) -> None:
    """Normal weights of 0.6 / sqrt(fan in), smaller where a block adds to the residual stream."""
    for name, parameter in nano.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim >= 2 and "rel_pos" not in name:
            fan_in = parameter.shape[-1] if "experts." in name else parameter[0].numel()
            scale = 0.4 if any(part in name for part in RESIDUAL_OUTPUTS) else 1.0
            nn.init.normal_(parameter, 0.0, 0.6 * scale * fan_in**-0.5)
    nn.init.normal_(nano.model.sam_model.pos_embed, 0.0, 0.02)
    nn.init.normal_(nano.model.vision_model.embeddings.class_embedding, 0.0, 0.02)
    nn.init.normal_(nano.model.vision_model.embeddings.position_embedding.weight, 0.0, 0.1)
    nn.init.normal_(
        nano.model.projector.layers.weight, 0.0, nano.model.projector.layers.in_features**-0.5
    )
    nn.init.normal_(nano.model.embed_tokens.weight, 0.0, 0.3)
    nn.init.normal_(nano.lm_head.weight, 0.0, 0.02)
