"""DeepSeek-OCR's vision tower in plain torch, without vLLM."""

from folio.model.deepencoder.config import ClipConfig, DeepEncoderConfig, SamConfig
from folio.model.deepencoder.encoder import DeepEncoder
from folio.model.deepencoder.sequence import assemble_image

__all__ = ["ClipConfig", "DeepEncoder", "DeepEncoderConfig", "SamConfig", "assemble_image"]
