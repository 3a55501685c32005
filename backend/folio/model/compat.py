"""Every difference between the supported versions of vLLM (0.26 to 0.33), in one place.

What keeps this file short: the multimodal processor overrides `apply` as a whole, which has been
stable, while the hooks below it were renamed between 0.26 and 0.32.
"""

try:
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as V2LogitsProcessor
except ImportError:  # before 0.32 the second model runner takes no custom logits processors

    class V2LogitsProcessor:  # type: ignore[no-redef]
        """Stands in for the base class that this version of vLLM does not have."""


__all__ = ["V2LogitsProcessor"]
