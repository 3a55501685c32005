"""The network with its auxiliary head and its losses, and how its blocks are compiled."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.character_map import CharacterMap
from training.nano import Nano, initialise, load_config
from training.prefetch import Batch, Part

BALANCE_WEIGHT = 0.01
MAPPED_PAGES = 0.25
# Patches along a side at 320, 640 and 1024 pixels.
COMPILED_GRIDS = (20, 40, 64)


class Trainee(nn.Module):
    """The network and the auxiliary head that trains with it."""

    def __init__(self) -> None:
        super().__init__()
        self.nano = Nano(load_config())
        initialise(self.nano)
        config = self.nano.model.config
        self.character_map = CharacterMap(config.sam.width, config.hidden_size)

    def compile_blocks(self) -> None:
        """Each kind of block once for each side of a view; the numbers of views and of tokens vary
        freely."""
        torch._dynamo.config.automatic_dynamic_shapes = False
        torch._dynamo.config.recompile_limit = 64
        model = self.nano.model
        for block in model.sam_model.blocks:
            compile_block(block, varying=(0,), sizes=COMPILED_GRIDS)
        for block in [*model.vision_model.transformer.layers, *model.layers]:
            compile_block(block, varying=(0, 1))

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Views -> SAM's patches and the projected image tokens."""
        model = self.nano.model
        patches = model.sam_model.encode_patches(pixels)
        return patches, model.encode_features(model.sam_model.compress(patches))

    def forward(
        self, batch: Batch, map_weight: float, *, is_map_apart: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The loss to go down, and cross entropy and accuracy of the text and the map's two losses
        to look at. is_map_apart: only the map's own heads learn from its losses."""
        views, nano = batch.views, self.nano
        patches, tokens = self.encode(views.global_views)
        local = self.encode(views.local_views)[1] if views.local_views is not None else None
        image = nano.model.image_tokens(tokens, local, batch.plan.resolution.crop_grid)
        sums = torch.stack([self.write(image, part) for part in batch.parts]).sum(0)
        loss_sum, weight_sum, num_right, balance_sum = sums.unbind()
        text_loss, accuracy = loss_sum / weight_sum, num_right / batch.num_targets
        loss = text_loss + BALANCE_WEIGHT * balance_sum / len(batch.parts)
        map_losses = torch.zeros(2, device=loss.device)
        if map_weight > 0 and local is None:
            count = max(1, int(MAPPED_PAGES * len(tokens)))
            mapped = patches[:count], tokens[:count]
            if is_map_apart:
                mapped = mapped[0].detach(), mapped[1].detach()
            map_losses = self.character_map(*mapped, views.labels[:count])
            loss = loss + map_weight * map_losses.sum()
        return loss, torch.stack([text_loss.detach(), accuracy, *map_losses.detach()])

    def write(self, image: Tensor, part: Part) -> Tensor:
        """The sums of the weighted losses and of the weights, how many targets are predicted right,
        and the balance loss of some pages' answers, stacked."""
        nano, num_image_tokens = self.nano, image.shape[1]
        hidden, balance = nano.model.decode(
            nano.embed_prompt(image.index_select(0, part.pages), part.inputs)
        )
        places = part.positions + num_image_tokens * part.rows
        logits = nano.lm_head(hidden.flatten(0, 1)[places]).float()
        losses = functional.cross_entropy(logits, part.targets, reduction="none")
        num_right = (logits.detach().argmax(-1) == part.targets).sum()
        return torch.stack([losses @ part.weights, part.weights.sum(), num_right, balance])


def compile_block(
    block: nn.Module, *, varying: tuple[int, ...], sizes: tuple[int, ...] | None = None
) -> None:
    """varying: the dimensions of the first input that change from call to call. sizes: of its
    second dimension, those worth the compiler's time."""
    plain, compiled = block.forward, torch.compile(block.forward)

    def forward(x: Tensor, *others: object) -> object:
        if sizes is not None and x.shape[1] not in sizes:
            return plain(x, *others)
        for dimension in varying:
            torch._dynamo.maybe_mark_dynamic(x, dimension)
        if others and isinstance(others[0], tuple):
            for angles in others[0]:
                torch._dynamo.maybe_mark_dynamic(angles, 0)
        return compiled(x, *others)

    block.forward = forward
