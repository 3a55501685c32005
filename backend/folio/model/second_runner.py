"""What vLLM's second model runner leaves to the model before version 0.32.

That runner does far less on the host for each step than the first. But it takes no logits
processors yet, and at its profile run it reads no pages, so that the vision tower would find the
memory given away.
"""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override
from vllm import SamplingParams
from vllm.v1.worker.gpu.model_states.default import DefaultModelState

from folio.model.inputs import as_geometry
from folio.model.logits import DeviceNoRepeatNgram, parse_params
from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, Mode, resolve
from folio.preprocessing.tiling import DEFAULT_MAX_CROPS


@dataclass(frozen=True)
class RowsOfStep:
    """Which request each row of logits belongs to, and where its newest token stands."""

    idx_mapping_np: NDArray[Any]
    expanded_idx_mapping: Tensor
    pos: Tensor


class RuledSampler:
    """vLLM's sampler, with the no-repeat n-gram rules applied to the logits before it."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self._rule = DeviceNoRepeatNgram(sampler.req_states)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def add_request(self, slot: int, prompt_len: int, sampling_params: SamplingParams) -> None:
        self._rule.add_request(slot, parse_params(sampling_params))
        self._sampler.add_request(slot, prompt_len, sampling_params)

    def __call__(self, logits: Tensor, input_batch: Any) -> Any:
        rows = RowsOfStep(
            input_batch.idx_mapping_np,
            input_batch.expanded_idx_mapping,
            input_batch.positions[input_batch.logits_indices],
        )
        self._rule.apply(logits, rows)
        return self._sampler(logits, input_batch)


class DeepseekOCRModelState(DefaultModelState):
    """vLLM finds it by the model's `get_model_state_cls`."""

    _is_profiled = False

    @override
    def custom_sampler(self, sampler: Any) -> tuple[Any, None]:
        return RuledSampler(sampler), None

    @override
    def dummy_inputs_embeds(self, num_tokens: int) -> Tensor:
        """The runner asks for them first when it measures how much memory a full step takes."""
        if not self._is_profiled:
            self._is_profiled = True
            self.read_full_step()
        return super().dummy_inputs_embeds(num_tokens)

    def read_full_step(self) -> None:
        """As many of the pages that take the most memory as a step may hold."""
        crops = self.model_config.multimodal_config.mm_processor_kwargs or {}
        height = LOCAL_VIEW_SIZE * int(crops.get("max_crops", DEFAULT_MAX_CROPS))
        resolution = resolve(
            Mode.GUNDAM, LOCAL_VIEW_SIZE, height, max_crops=height // LOCAL_VIEW_SIZE
        )
        num_tokens = self.scheduler_config.max_num_encoder_input_tokens
        num_pages = min(self.max_num_reqs, max(1, num_tokens // resolution.num_image_tokens))
        page = torch.full((height, LOCAL_VIEW_SIZE, 3), 255, dtype=torch.uint8)
        self.model.embed_multimodal(
            pixels=[[page]] * num_pages,
            geometry=torch.tensor([as_geometry(resolution)] * num_pages),
        )
