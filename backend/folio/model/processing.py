"""What vLLM asks of a multimodal model's processor: limits, and the largest page for profiling.

Folio's own requests come ready-made from `inputs.build_engine_input`. The processor serves vLLM's
profile run, and `vllm serve` users, who get gundam unless they say
`mm_processor_kwargs={"mode": ...}`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature
from typing_extensions import override
from vllm.inputs.engine import MultiModalInput
from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems
from vllm.multimodal.parse import ImageProcessorItems, MultiModalDataItems
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
    ProcessorInputs,
    PromptUpdate,
)
from vllm.transformers_utils.configs.deepseek_vl2 import DeepseekVLV2Config

from folio.model.inputs import IMAGE_TOKEN, MODALITY, build_engine_input, choose_pixels
from folio.preprocessing.resolution import (
    LOCAL_VIEW_SIZE,
    Mode,
    max_image_tokens,
    resolve,
)
from folio.preprocessing.tiling import DEFAULT_MAX_CROPS


class DeepseekOCRProcessingInfo(BaseProcessingInfo):
    """Limits of the model. The engine's `mm_processor_kwargs={"max_crops": n}` moves them."""

    @override
    def get_hf_config(self) -> DeepseekVLV2Config:
        return self.ctx.get_hf_config(DeepseekVLV2Config)

    @override
    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        return {MODALITY: 1}

    @override
    def get_mm_max_tokens_per_item(
        self, seq_len: int, mm_counts: Mapping[str, int]
    ) -> Mapping[str, int]:
        return {MODALITY: max_image_tokens(self.get_max_crops({}))}

    def get_max_crops(self, mm_kwargs: Mapping[str, object]) -> int:
        merged = self.ctx.get_merged_mm_kwargs(mm_kwargs)
        return int(merged.get("max_crops", DEFAULT_MAX_CROPS))

    def get_mode(self, mm_kwargs: Mapping[str, object]) -> Mode:
        return Mode(self.ctx.get_merged_mm_kwargs(mm_kwargs).get("mode", Mode.GUNDAM))


class DeepseekOCRDummyInputsBuilder(BaseDummyInputsBuilder[DeepseekOCRProcessingInfo]):
    """The page that takes the most memory, as vLLM's profile run wants it."""

    @override
    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        return IMAGE_TOKEN * mm_counts.get(MODALITY, 0)

    @override
    def get_dummy_mm_data(
        self, seq_len: int, mm_counts: Mapping[str, int], mm_options: object
    ) -> Mapping[str, list[Image.Image]]:
        """A page one view wide and `max_crops` views high has the most image tokens."""
        height = LOCAL_VIEW_SIZE * self.info.get_max_crops({})
        page = Image.new("RGB", (LOCAL_VIEW_SIZE, height), "white")
        return {MODALITY: [page] * mm_counts.get(MODALITY, 0)}


class DeepseekOCRMultiModalProcessor(BaseMultiModalProcessor[DeepseekOCRProcessingInfo]):
    """Replaces vLLM's route through a Hugging Face processor by the one that Folio uses."""

    @override
    def apply(self, inputs: ProcessorInputs, timing_ctx: object) -> MultiModalInput:
        images = inputs.mm_data_items.get_items(MODALITY, ImageProcessorItems)
        page = np.array(images.get(0).convert("RGB"))
        kwargs = inputs.hf_processor_mm_kwargs
        resolution = resolve(
            self.info.get_mode(kwargs),
            page.shape[1],
            page.shape[0],
            max_crops=self.info.get_max_crops(kwargs),
        )
        return build_engine_input(
            self.info.get_tokenizer(),
            choose_pixels(page, resolution, resize_on_device=bool(torch.cuda.device_count())),
            self.prompt_text(inputs.prompt),
            resolution,
            max_model_len=self.info.ctx.model_config.max_model_len,
        )

    def prompt_text(self, prompt: str | list[int]) -> str:
        """vLLM 0.32 hands over token ids where 0.26 hands over the text."""
        if isinstance(prompt, str):
            return prompt
        tokenizer = self.info.get_tokenizer()
        token_ids = prompt[1:] if prompt[:1] == [tokenizer.bos_token_id] else prompt
        return tokenizer.decode(token_ids, skip_special_tokens=False)

    @override
    def _get_mm_fields_config(
        self, hf_inputs: BatchFeature, hf_processor_mm_kwargs: Mapping[str, object]
    ) -> Mapping[str, MultiModalFieldConfig]:
        raise NotImplementedError("apply() does not go through a Hugging Face processor")

    @override
    def _get_prompt_updates(
        self,
        mm_items: MultiModalDataItems,
        hf_processor_mm_kwargs: Mapping[str, object],
        out_mm_kwargs: MultiModalKwargsItems,
    ) -> Sequence[PromptUpdate]:
        raise NotImplementedError("apply() expands the prompt itself")
