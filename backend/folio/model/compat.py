"""Every difference between the supported versions of vLLM (0.26 to 0.33), in one place.

What keeps this file short: the multimodal processor overrides `apply` as a whole, which has been
stable, while the hooks below it were renamed between 0.26 and 0.32.
"""

from typing import TYPE_CHECKING

from folio.model.vllm_version import second_runner_takes_processors

if TYPE_CHECKING or second_runner_takes_processors():
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as V2LogitsProcessor

    class ServesSecondRunner:
        """Of a model: what it does for vLLM's second runner beyond vLLM's own. Nothing."""

else:

    class V2LogitsProcessor:
        """Stands in for the base class that this version of vLLM does not have."""

    class ServesSecondRunner:
        """Of a model: what it does for vLLM's second runner beyond vLLM's own."""

        @staticmethod
        def get_model_state_cls() -> type:
            # Imported where that runner runs: with the first one nobody needs it.
            from folio.model.second_runner import DeepseekOCRModelState  # noqa: PLC0415

            return DeepseekOCRModelState


# The scheduler's lists of encoder inputs to load from elsewhere: one, and from 0.32 on two.
NO_ENCODER_INPUTS: tuple[list[int], ...] = ([], []) if second_runner_takes_processors() else ([],)

__all__ = ["NO_ENCODER_INPUTS", "ServesSecondRunner", "V2LogitsProcessor"]
