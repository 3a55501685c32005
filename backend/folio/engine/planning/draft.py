"""What is decided on the way to a plan, and what it takes in memory."""

from dataclasses import dataclass
from typing import TypeVar

from folio.checkpoints import ModelDescription
from folio.checkpoints.description import DTYPE_BYTES, StoredWeights
from folio.config import EngineSettings
from folio.engine.conflicts import BFLOAT16_CAPABILITY, lowest_capability, method_of
from folio.engine.machine import Machine
from folio.engine.planning.plan import SET, Choice, Memory
from folio.preprocessing.resolution import max_image_tokens

# What a page needs at once beside its image: a long page's text. A longer one still fits, vLLM then
# lets another wait.
TYPICAL_ANSWER_TOKENS = 2048
STEP_SIZES_ON_GPU = (16384, 8192, 4096, 2048)
STEP_SIZE_ON_CPU = 4096
FP8_KV_TYPES = ("fp8", "fp8_e4m3", "fp8_e5m2")

# As model.view_batches has it: views of so many pixels go through the vision tower at once.
ENCODER_PIXELS_ON_GPU = 16 * 1024**2
ENCODER_PIXELS_ON_CPU = 2 * 1024**2
_PATCH_PIXELS = 16**2
_LARGEST_GRID = 1280 // 16  # patches along a side in mode large
_PIXELS_PER_PAGE = 1024**2 + 6 * 640**2  # gundam

Value = TypeVar("Value")


@dataclass(frozen=True)
class Draft:
    """What is decided on the way to a plan."""

    settings: EngineSettings
    model: ModelDescription
    machine: Machine
    dtype: Choice[str]
    kv_cache_dtype: Choice[str]
    step_size: Choice[int]
    parallel: Choice[int]

    @property
    def page_tokens(self) -> int:
        return max_image_tokens(self.settings.max_crops) + TYPICAL_ANSWER_TOKENS

    @property
    def longest(self) -> int:
        return self.settings.max_model_len or self.model.max_model_len

    @property
    def weights(self) -> StoredWeights:
        return self.model.weights_bytes(self.dtype.value, quantization=self.settings.quantization)

    @property
    def kv_bytes_per_token(self) -> int:
        """Of one card: keys and values of every layer."""
        model = self.model
        is_fp8 = self.kv_cache_dtype.value in FP8_KV_TYPES
        num_bytes = 1 if is_fp8 else DTYPE_BYTES[self.dtype.value]
        heads = model.num_kv_heads // self.parallel.value
        return 2 * model.num_layers * heads * model.head_dim * num_bytes

    def memory(self, *, total: int, free: int, budget: int, num_pages: int, reserve: int) -> Memory:
        weights = self.weights.tower_bytes + self.weights.decoder_bytes // self.parallel.value
        working = working_bytes(self, num_pages=num_pages) + reserve
        return Memory(
            total=total,
            free=free,
            budget=budget,
            weights=weights,
            working=working,
            kv_cache=budget - weights - working,
            kv_bytes_per_token=self.kv_bytes_per_token,
        )


def begin_draft(settings: EngineSettings, model: ModelDescription, machine: Machine) -> Draft:
    """The best that there is, before it is known what fits."""
    step_size = STEP_SIZES_ON_GPU[0] if machine.gpus else STEP_SIZE_ON_CPU
    return Draft(
        settings,
        model,
        machine,
        dtype=_choose_dtype(settings, model, machine),
        kv_cache_dtype=_set_or(settings.kv_cache_dtype, "auto", "as the rest of the model"),
        step_size=_set_or(settings.max_num_batched_tokens, step_size, "keeps the engine busy"),
        parallel=_set_or(settings.tensor_parallel_size, 1, "the model fits one card"),
    )


def working_bytes(draft: Draft, *, num_pages: int) -> int:
    """What a step takes while it runs: the vision tower and the decoder take turns."""
    logits = num_pages * draft.model.vocab_size * 4 * 3  # float32, and two copies for sampling
    return max(encoder_bytes(draft), decoder_bytes(draft)) + logits


def encoder_bytes(draft: Draft) -> int:
    """Of SAM's global attention in mode large: its widest moment (model.deepencoder.sam)."""
    model = draft.model
    limit = ENCODER_PIXELS_ON_GPU if draft.machine.gpus else ENCODER_PIXELS_ON_CPU
    pages = max(1, draft.step_size.value // max_image_tokens(draft.settings.max_crops))
    patches = min(limit, pages * _PIXELS_PER_PAGE) // _PATCH_PIXELS
    # Query, key, value and answer, widened by a row and a column; q, k, v before; two of the input.
    widened = model.tower_width + model.tower_heads * 2 * _LARGEST_GRID
    elements = 4 * widened + 5 * model.tower_width
    return patches * elements * DTYPE_BYTES[draft.dtype.value]


def decoder_bytes(draft: Draft) -> int:
    """Of a layer of experts, for all tokens of a step."""
    model = draft.model
    experts = model.num_experts_per_token * (3 * model.moe_intermediate_size + model.hidden_size)
    shared = 3 * model.num_shared_experts * model.moe_intermediate_size
    elements = experts + shared + 6 * model.hidden_size
    return draft.step_size.value * elements * DTYPE_BYTES[draft.dtype.value]


def _set_or(value: Value | None, default: Value, reason: str) -> Choice[Value]:
    return Choice(default, reason) if value is None else Choice(value, SET)


def _choose_dtype(
    settings: EngineSettings, model: ModelDescription, machine: Machine
) -> Choice[str]:
    if settings.dtype != "auto":
        return Choice(settings.dtype, SET)
    capability = lowest_capability(machine)
    if capability is None:
        if method_of(settings, model):
            return Choice("bfloat16", "quantised weights need 16 bits beside them")
        return Choice("float32", "the faster one on a CPU")
    if model.dtype != "float16" and capability < BFLOAT16_CAPABILITY:
        return Choice("float16", "this card has no bfloat16")
    if model.dtype == "float32":
        return Choice("bfloat16", "the checkpoint has float32, which is slow on a card")
    return Choice(model.dtype, "the checkpoint's")
