"""vLLM's `vllm.general_plugins` entry point: every process of the engine calls `register`."""

ARCHITECTURE = "DeepseekOCRForCausalLM"


def register() -> None:
    """Put our implementation over vLLM's own, so that the published config serves unchanged."""
    from vllm import ModelRegistry  # noqa: PLC0415 - importing folio.model must not import vLLM

    ModelRegistry.register_model(ARCHITECTURE, f"folio.model.deepseek_ocr:{ARCHITECTURE}")
