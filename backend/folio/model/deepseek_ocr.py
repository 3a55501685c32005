"""DeepSeek-OCR for vLLM: our DeepEncoder in front of vLLM's own DeepSeek decoder.

Registered over vLLM's implementation by `register`. Every size comes from the config, so the
published checkpoint and small models run through the same code.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override
from vllm.config import VllmConfig
from vllm.model_executor.models.interfaces import (
    SupportsLoRA,
    SupportsMultiModal,
    SupportsPP,
)
from vllm.model_executor.models.module_mapping import MultiModelKeys
from vllm.model_executor.models.utils import (
    AutoWeightsLoader,
    WeightsMapper,
    init_vllm_registered_model,
    maybe_prefix,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.sequence import IntermediateTensors

from folio.model.checkpoint import checked, tensor_shapes
from folio.model.compat import ServesSecondRunner
from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.model.inputs import IMAGE_TOKEN, as_resolution
from folio.model.processing import (
    DeepseekOCRDummyInputsBuilder,
    DeepseekOCRMultiModalProcessor,
    DeepseekOCRProcessingInfo,
)
from folio.model.tower import Tower, TowerOptions
from folio.model.transfer import upload
from folio.model.view_batches import embed_pages, pixels_per_batch


@MULTIMODAL_REGISTRY.register_processor(
    DeepseekOCRMultiModalProcessor,
    info=DeepseekOCRProcessingInfo,
    dummy_inputs=DeepseekOCRDummyInputsBuilder,
)
class DeepseekOCRForCausalLM(
    nn.Module, SupportsMultiModal, SupportsPP, SupportsLoRA, ServesSecondRunner
):
    """The whole model. The tower is replicated on every rank, the decoder is vLLM's."""

    hf_to_vllm_mapper = WeightsMapper(
        orig_to_new_prefix={
            "model.embed_tokens.": "language_model.model.embed_tokens.",
            "model.layers.": "language_model.model.layers.",
            "model.norm.": "language_model.model.norm.",
            "lm_head.": "language_model.lm_head.",
            "model.": "deepencoder.",
        }
    )

    @classmethod
    @override
    def get_placeholder_str(cls, modality: str, i: int) -> str | None:
        return IMAGE_TOKEN

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        config = vllm_config.model_config.hf_config
        self.config = config
        self.quant_config = vllm_config.quant_config
        self.encoder_config = DeepEncoderConfig.from_published(
            vars(config.vision_config), vars(config.projector_config)
        )
        with self._mark_tower_model(vllm_config, "image"):
            self.deepencoder = DeepEncoder(self.encoder_config)
        self.tower = Tower(
            self.deepencoder, TowerOptions.from_config(vllm_config.additional_config)
        )
        with self._mark_language_model(vllm_config):
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=config.text_config,
                prefix=maybe_prefix(prefix, "language_model"),
            )
        self.make_empty_intermediate_tensors = self.language_model.make_empty_intermediate_tensors

    @torch.no_grad()
    def embed_multimodal(
        self,
        pixels: Sequence[Sequence[Tensor]] | None = None,
        geometry: Tensor | None = None,
        **_: Any,
    ) -> list[Tensor]:
        """Image tokens of each page of the step, whatever their sizes and requests.

        pixels: see `view_batches.embed_pages`. geometry: (pages, 4) on the CPU, see `inputs`.
        -> per page (num_image_tokens, hidden_size)
        """
        if pixels is None or geometry is None:
            return []
        encoder = self.deepencoder
        return embed_pages(
            self.tower,
            pixels,
            [as_resolution(row) for row in geometry.tolist()],
            image_newline=encoder.image_newline,
            view_seperator=encoder.view_seperator,
            max_pixels=pixels_per_batch(encoder.image_newline.device),
        )

    @override
    def embed_input_ids(
        self,
        input_ids: Tensor,
        multimodal_embeddings: Sequence[Tensor] | None = None,
        *,
        is_multimodal: Tensor | None = None,
    ) -> Tensor:
        """(tokens, hidden). is_multimodal: bool (tokens,), on the host, as vLLM makes it: so the
        places of the image tokens are known there, and nothing waits for the device."""
        embedded: Tensor = self.language_model.embed_input_ids(input_ids)
        if not multimodal_embeddings or is_multimodal is None:
            return embedded
        places = upload(is_multimodal.nonzero().squeeze(1), embedded.device)
        image_tokens = torch.cat(list(multimodal_embeddings)).to(embedded.dtype)
        return embedded.index_copy_(0, places, image_tokens)

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: Tensor | None = None,
        **_: Any,
    ) -> Tensor | IntermediateTensors:
        if intermediate_tensors is not None:
            inputs_embeds = None
        return self.language_model(
            input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds
        )

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        return self.language_model.compute_logits(hidden_states)

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """Load a checkpoint with the published names. Raises ValueError naming what is amiss."""
        if self.quant_config is None:  # a quantised checkpoint has names of its own
            weights = checked(weights, tensor_shapes(self.encoder_config, self.config.text_config))
        return AutoWeightsLoader(self).load_weights(weights, mapper=self.hf_to_vllm_mapper)

    def get_mm_mapping(self) -> MultiModelKeys:
        return MultiModelKeys.from_string_field(
            language_model="language_model",
            connector="deepencoder.projector",
            tower_model=["deepencoder.sam_model", "deepencoder.vision_model"],
        )
