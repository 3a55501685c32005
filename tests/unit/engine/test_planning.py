"""The plan: what fits which card, what an operator's settings change, and the arithmetic below."""

import pytest

from folio.config import EngineSettings
from folio.engine.machine import GIBIBYTE
from folio.engine.planning import SET, Plan, make_plan
from folio.engine.planning import draft as drafts
from folio.errors import SettingsConflictError
from tests.machines import gpu, machine, nano, published_model


@pytest.fixture(autouse=True)
def without_the_operators_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EngineSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def plan_for(gigabytes: float, capability: tuple[int, int] = (8, 9), **settings: object) -> Plan:
    card = gpu(gigabytes, capability)
    return make_plan(EngineSettings(**settings), published_model(), machine(card))


def test_a_token_of_the_published_model_takes_61440_bytes() -> None:
    # 12 layers, keys and values, 10 heads of 128, two bytes
    assert plan_for(24).memory.kv_bytes_per_token == 12 * 2 * 10 * 128 * 2 == 61_440
    assert plan_for(24, kv_cache_dtype="fp8").memory.kv_bytes_per_token == 30_720


def test_the_published_weights_take_what_their_parameters_say() -> None:
    num_parameters, unused = 3_336_106_240, 1024 * 3 * 14 * 14
    assert plan_for(24).memory.weights == 2 * (num_parameters - unused)


# What docs/guides/sizing.md shows.
@pytest.mark.parametrize(
    ("gigabytes", "capability", "pages", "step"),
    [
        (12, (8, 9), 14, 16384),
        (16, (7, 5), 35, 16384),
        (24, (8, 9), 77, 16384),
        (40, (8, 0), 148, 16384),
        (80, (9, 0), 256, 16384),
        (141, (9, 0), 256, 16384),
    ],
)
def test_pages_at_once_by_card(
    gigabytes: float, capability: tuple[int, int], pages: int, step: int
) -> None:
    plan = plan_for(gigabytes, capability)
    assert plan.max_num_seqs.value == pages
    assert plan.max_num_batched_tokens.value == step
    assert plan.max_model_len.value == 8192
    assert plan.tensor_parallel_size.value == 1
    assert plan.kv_cache_dtype.value == "auto"
    assert plan.gpu_memory_utilization is not None
    assert plan.gpu_memory_utilization.value == 0.9
    assert not plan.warnings


@pytest.mark.parametrize("gigabytes", [12, 16, 24, 40, 80, 141])
def test_what_is_planned_fits_the_budget(gigabytes: float) -> None:
    memory = plan_for(gigabytes).memory
    assert memory.weights + memory.working + memory.kv_cache == memory.budget
    assert memory.budget <= 0.9 * memory.total
    assert memory.kv_tokens >= 8192


def test_eight_gigabytes_are_too_few_for_16_bits_and_the_error_says_what_helps() -> None:
    with pytest.raises(SettingsConflictError, match=r"needs 7\.2 GB.*QUANTIZATION=fp8"):
        plan_for(8)


def test_eight_gigabytes_are_enough_in_fp8() -> None:
    plan = plan_for(8, quantization="fp8")
    assert plan.memory.weights < 4 * GIBIBYTE
    assert plan.max_num_seqs.value >= 8
    assert plan.max_model_len.value == 8192


def test_two_small_cards_share_the_model() -> None:
    cards = [gpu(8, index=index) for index in range(2)]
    plan = make_plan(EngineSettings(), published_model(), machine(*cards))
    assert plan.tensor_parallel_size.value == 2
    assert len(plan.gpus) == 2
    assert plan.memory.kv_bytes_per_token == 30_720


def test_a_model_that_fits_one_card_takes_one_and_says_so() -> None:
    cards = [gpu(24, index=index) for index in range(4)]
    plan = make_plan(EngineSettings(), published_model(), machine(*cards))
    assert plan.tensor_parallel_size.value == 1
    assert plan.warnings == ("1 of 4 cards would be used. DATA_PARALLEL_SIZE=4 reads with all.",)
    settings = EngineSettings(data_parallel_size=4)
    assert make_plan(settings, published_model(), machine(*cards)).warnings == ()


def test_a_short_card_gives_up_step_size_before_pages_and_then_the_kv_caches_width() -> None:
    ampere = plan_for(10, (8, 6))
    assert ampere.max_num_batched_tokens.value < 16384
    assert ampere.kv_cache_dtype.value == "auto"
    ada = plan_for(9, (8, 9))
    assert ada.kv_cache_dtype.value == "fp8"
    assert "halves" in ada.kv_cache_dtype.reason


def test_who_wants_few_pages_keeps_the_width_of_the_kv_cache() -> None:
    assert plan_for(9, (8, 9), max_num_seqs=2).kv_cache_dtype.value == "auto"


def test_a_page_is_no_longer_than_what_the_kv_cache_holds() -> None:
    plan = plan_for(8.35, (8, 6))
    assert plan.max_model_len.value < 8192
    assert plan.max_model_len.value % 256 == 0
    assert plan.max_model_len.value <= plan.memory.kv_tokens
    assert plan.max_num_seqs.value == 2


def test_what_other_programs_hold_is_left_to_them() -> None:
    card = gpu(24, free_gigabytes=14)
    plan = make_plan(EngineSettings(), published_model(), machine(card))
    assert plan.gpu_memory_utilization is not None
    assert plan.gpu_memory_utilization.value == 0.55
    assert "other programs" in plan.gpu_memory_utilization.reason
    assert plan.memory.budget + 0.6 * GIBIBYTE <= card.free_bytes


def test_the_budget_bounds_the_share() -> None:
    plan = plan_for(80, (9, 0), gpu_memory_budget_gb=20)
    assert plan.gpu_memory_utilization is not None
    assert plan.gpu_memory_utilization.value == 0.25
    assert plan.gpu_memory_utilization.reason == "GPU_MEMORY_BUDGET_GB=20"
    assert plan.memory.budget <= 20 * GIBIBYTE


def test_a_budget_that_is_too_small_is_named() -> None:
    with pytest.raises(SettingsConflictError, match="Raise GPU_MEMORY_BUDGET_GB"):
        plan_for(80, gpu_memory_budget_gb=6)


def test_a_full_card_is_told_from_a_small_one() -> None:
    card = gpu(24, free_gigabytes=5)
    with pytest.raises(SettingsConflictError, match="End what else runs"):
        make_plan(EngineSettings(), published_model(), machine(card))


def test_settings_of_the_operator_win() -> None:
    plan = plan_for(
        24,
        dtype="float16",
        max_model_len=4096,
        max_num_seqs=12,
        max_num_batched_tokens=8192,
        gpu_memory_utilization=0.7,
        tensor_parallel_size=1,
        kv_cache_dtype="fp8",
    )
    choices = [
        plan.dtype,
        plan.max_model_len,
        plan.max_num_seqs,
        plan.max_num_batched_tokens,
        plan.gpu_memory_utilization,
        plan.tensor_parallel_size,
        plan.kv_cache_dtype,
    ]
    values = [choice.value for choice in choices if choice is not None]
    assert values == ["float16", 4096, 12, 8192, 0.7, 1, "fp8"]
    assert {choice.reason for choice in choices if choice is not None} == {SET}


def test_a_length_that_may_not_fit_is_warned_of() -> None:
    plan = plan_for(8.35, (8, 6), max_model_len=8192)
    assert "MAX_MODEL_LEN=8192 is more" in plan.warnings[0]


def test_an_old_card_computes_in_float16() -> None:
    assert plan_for(16, (7, 5)).dtype.value == "float16"


def test_the_small_model_on_a_cpu_is_run_as_it_always_was() -> None:
    plan = make_plan(EngineSettings(), nano(), machine(gigabytes=8))
    assert plan.dtype.value == "float32"
    assert plan.max_num_seqs.value == 16
    assert plan.max_num_batched_tokens.value == 4096
    assert plan.max_model_len.value == 8192
    assert plan.memory.kv_cache == GIBIBYTE
    assert plan.gpu_memory_utilization is None
    assert plan.gpus == ()


def test_the_published_model_on_a_cpu_takes_a_kv_cache_for_all_its_pages() -> None:
    plan = make_plan(EngineSettings(), published_model(), machine(gigabytes=64))
    assert plan.memory.kv_cache > 5 * GIBIBYTE
    assert plan.max_num_seqs.value == 16


def test_a_machine_with_too_little_memory_is_told_so() -> None:
    with pytest.raises(SettingsConflictError, match=r"7\.0 of 8\.0 GB are available"):
        make_plan(EngineSettings(), published_model(), machine(gigabytes=8))


def test_the_tower_is_sized_by_the_batches_that_it_gets() -> None:
    from folio.model import view_batches

    assert drafts.ENCODER_PIXELS_ON_GPU == view_batches.PIXELS_PER_GPU_BATCH
    assert drafts.ENCODER_PIXELS_ON_CPU == view_batches.PIXELS_PER_CPU_BATCH
