"""Sizes of the DeepEncoder, read from a published `config.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

PATCH_SIZE = 16
WINDOW_SIZE = 14
MLP_RATIO = 4
PUBLISHED_NECK_WIDTH = 256


@dataclass(frozen=True)
class SamConfig:
    """The window-attention encoder and its 16x compressor."""

    image_size: int
    width: int
    num_layers: int
    num_heads: int
    global_attention_layers: tuple[int, ...]
    neck_width: int
    downsample_widths: tuple[int, int]

    @property
    def grid_size(self) -> int:
        """Patches along a side of the image that the position tables are made for."""
        return self.image_size // PATCH_SIZE


@dataclass(frozen=True)
class ClipConfig:
    """The global-attention encoder, fed by SAM's features instead of pixels."""

    width: int
    num_layers: int
    num_heads: int
    grid_size: int


@dataclass(frozen=True)
class DeepEncoderConfig:
    """Both encoders and the width of the decoder that reads their features."""

    sam: SamConfig
    clip: ClipConfig
    hidden_size: int

    def __post_init__(self) -> None:
        if self.sam.downsample_widths[-1] != self.clip.width:
            raise ValueError(
                f"sam_vit_b.downsample_channels ends in {self.sam.downsample_widths[-1]}, "
                f"but clip-l-14-224.width is {self.clip.width}: CLIP reads SAM's features as is."
            )

    @property
    def feature_width(self) -> int:
        """Width of [CLIP, SAM] before the projector."""
        return self.clip.width + self.sam.downsample_widths[-1]

    @classmethod
    def from_published(
        cls, vision_config: Mapping[str, Any], projector_config: Mapping[str, Any]
    ) -> Self:
        """From the published keys, and `neck` of ours for models with another neck width."""
        sam = vision_config["width"]["sam_vit_b"]
        clip = vision_config["width"]["clip-l-14-224"]
        first, second = sam["downsample_channels"]
        config = cls(
            sam=SamConfig(
                image_size=vision_config["image_size"],
                width=sam["width"],
                num_layers=sam["layers"],
                num_heads=sam["heads"],
                global_attention_layers=tuple(sam["global_attn_indexes"]),
                neck_width=sam.get("neck", PUBLISHED_NECK_WIDTH),
                downsample_widths=(first, second),
            ),
            clip=ClipConfig(
                width=clip["width"],
                num_layers=clip["layers"],
                num_heads=clip["heads"],
                grid_size=clip["image_size"] // clip["patch_size"],
            ),
            hidden_size=projector_config["n_embed"],
        )
        if config.feature_width != projector_config["input_dim"]:
            raise ValueError(
                f"projector_config.input_dim is {projector_config['input_dim']}, "
                f"but CLIP and SAM give {config.feature_width} features."
            )
        return config
