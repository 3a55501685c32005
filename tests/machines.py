"""Models and machines to plan for: the published DeepSeek-OCR, and cards by their labels."""

import json
from pathlib import Path

from folio.checkpoints import ModelDescription, describe
from folio.checkpoints.description import StoredWeights, describe_config
from folio.config import embedded_model_path
from folio.engine.machine import GIBIBYTE, Gpu, Machine

PUBLISHED_CONFIG = Path(__file__).parent / "integration" / "model" / "deepseek-ocr-config.json"
# bfloat16: 400,770,048 parameters in the tower, the one tensor that is never read left out.
PUBLISHED_WEIGHTS = StoredWeights(tower_bytes=801_540_096, decoder_bytes=5_869_468_160)
DRIVER_BYTES = int(0.2 * GIBIBYTE)  # of an idle card


def published_model() -> ModelDescription:
    return describe_config(json.loads(PUBLISHED_CONFIG.read_text()), PUBLISHED_WEIGHTS)


def nano() -> ModelDescription:
    return describe(embedded_model_path())


def gpu(
    gigabytes: float,
    capability: tuple[int, int] = (8, 9),
    *,
    index: int = 0,
    free_gigabytes: float | None = None,
) -> Gpu:
    total = int(gigabytes * GIBIBYTE)
    free = total - DRIVER_BYTES if free_gigabytes is None else int(free_gigabytes * GIBIBYTE)
    return Gpu(index, f"GPU-{index}", "NVIDIA Test", "580.95.05", capability, total, free)


def machine(
    *gpus: Gpu, gigabytes: float = 64, has_avx512: bool = True, has_amx: bool = True
) -> Machine:
    memory = int(gigabytes * GIBIBYTE)
    return Machine(gpus, 16, memory, memory - GIBIBYTE, has_avx512, has_amx)
