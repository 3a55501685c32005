"""Who turns (image, prompt) into text: the embedded vLLM engine behind one protocol."""

from folio.engine.base import (
    EngineState,
    EngineStatus,
    GenerationOutput,
    GenerationRequest,
    NoRepeatNgram,
    OcrEngine,
)

__all__ = [
    "EngineState",
    "EngineStatus",
    "GenerationOutput",
    "GenerationRequest",
    "NoRepeatNgram",
    "OcrEngine",
]
