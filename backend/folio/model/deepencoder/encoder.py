"""The DeepEncoder: views in, image tokens out. Plain torch: it trains, compiles, knows no vLLM."""

import torch
from torch import Tensor, nn

from folio.model.deepencoder.clip import ClipEncoder
from folio.model.deepencoder.config import DeepEncoderConfig
from folio.model.deepencoder.projector import Projector
from folio.model.deepencoder.sam import SamBlock, SamEncoder
from folio.model.deepencoder.sequence import assemble_image
from folio.preprocessing.tiling import NO_CROPS, CropGrid
from folio.preprocessing.transforms import normalise


class DeepEncoder(nn.Module):
    """SAM, CLIP on top of it, and the projector. Parameter names are those below `model.`."""

    def __init__(self, config: DeepEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.sam_model = SamEncoder(config.sam)
        self.vision_model = ClipEncoder(config.clip)
        self.projector = Projector(config.feature_width, config.hidden_size)
        scale = config.hidden_size**-0.5
        self.image_newline = nn.Parameter(torch.randn(config.hidden_size) * scale)
        # Spelled as in the checkpoint.
        self.view_seperator = nn.Parameter(torch.randn(config.hidden_size) * scale)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode views of one size.

        pixels: (views, 3, side, side), uint8 as decoded or floating point as normalised
        -> (views, (side/64)**2, hidden_size), row by row.
        """
        return self.encode_features(self.sam_model(self.prepare(pixels)))

    encode = forward

    def freeze(self) -> None:
        """The weights stay as they are: what follows from them alone is computed once per size."""
        self.sam_model.frozen = {}
        self.vision_model.embeddings.frozen = {}

    def use_kernels(self, *, between_products: bool) -> None:
        """On a GPU, in inference: SAM's attention by `kernels.attention`, and, where torch.compile
        does not fuse it, what stands between matrix products by `fused`."""
        for block in self.sam_model.blocks:
            assert isinstance(block, SamBlock)
            block.attn.fused = True
        self.sam_model.fused = self.vision_model.transformer.fused = between_products

    def prepare(self, pixels: Tensor) -> Tensor:
        """uint8 -> normalised; in either case in the parameters' dtype."""
        dtype = self.image_newline.dtype
        return pixels.to(dtype) if pixels.is_floating_point() else normalise(pixels, dtype)

    def encode_features(self, sam_features: Tensor) -> Tensor:
        """SAM's features (views, channels, grid, grid) -> (views, grid**2, hidden_size)."""
        clip_features = self.vision_model(sam_features)
        tokens = sam_features.flatten(2).transpose(1, 2)
        return self.projector(torch.cat([clip_features, tokens], dim=-1))

    def assemble(
        self, global_view: Tensor, local_views: Tensor | None = None, crop_grid: CropGrid = NO_CROPS
    ) -> Tensor:
        """One page's encoded views -> its image tokens in the decoder's order: see `sequence`."""
        return assemble_image(
            global_view, local_views, crop_grid, self.image_newline, self.view_seperator
        )
