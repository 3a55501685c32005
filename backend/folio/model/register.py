"""vLLM's `vllm.general_plugins` entry point: every process of the engine calls `register`."""

import logging

ARCHITECTURE = "DeepseekOCRForCausalLM"
# What vLLM warns of at every start with our scheduler, and while we read the pages that warm up.
NO_NEWS = {
    "vllm.config.scheduler": "custom scheduler class",
    "vllm.utils.jit_monitor": "during inference",
}


def register() -> None:
    """Put our implementation over vLLM's own, so that the published config serves unchanged."""
    from vllm import ModelRegistry  # noqa: PLC0415 - importing folio.model must not import vLLM

    ModelRegistry.register_model(ARCHITECTURE, f"folio.model.deepseek_ocr:{ARCHITECTURE}")
    for name, words in NO_NEWS.items():
        logging.getLogger(name).addFilter(_IsNews(words))


class _IsNews(logging.Filter):
    """Lets everything pass but a warning with these words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno != logging.WARNING or self._words not in str(record.msg)
