"""Settings that cannot work are refused before the engine starts, in words that say what to set."""

from dataclasses import replace

import pytest

from folio.config import EngineSettings
from folio.engine.conflicts import check_settings
from folio.errors import SettingsConflictError
from tests.machines import gpu, machine, published_model

ADA, HOPPER, AMPERE, TURING = (8, 9), (9, 0), (8, 6), (7, 5)


def refusal(
    *, capability: tuple[int, int] | None = HOPPER, stored: str | None = None, **settings: object
) -> str:
    """What is said of these settings, for a checkpoint that is `stored` so; empty if nothing."""
    model = replace(published_model(), quantization=stored, names_unquantised=True)
    cards = () if capability is None else (gpu(24, capability),)
    try:
        check_settings(EngineSettings(**settings), model, machine(*cards))
    except SettingsConflictError as error:
        return error.message
    return ""


@pytest.mark.parametrize("stored", ["awq", "gptq", "fp8"])
def test_quantised_weights_need_16_bits_beside_them(stored: str) -> None:
    said = refusal(stored=stored, dtype="float32")
    assert "Set DTYPE to bfloat16 or float16, or to auto." in said


@pytest.mark.parametrize("stored", ["awq", "gptq", "fp8", "compressed-tensors"])
def test_quantised_checkpoints_are_served_as_they_are(stored: str) -> None:
    assert refusal(stored=stored) == ""
    assert refusal(stored=stored, dtype="bfloat16", quantization=stored) == ""


def test_another_quantisation_than_the_checkpoints_is_refused() -> None:
    said = refusal(stored="awq", quantization="gptq")
    assert "the checkpoint is quantised with awq" in said
    assert "Leave QUANTIZATION empty" in said


def test_a_16_bit_checkpoint_is_not_read_as_awq() -> None:
    assert "is not quantised" in refusal(quantization="awq")
    assert refusal(quantization="fp8") == ""


def test_a_cpu_does_not_quantise() -> None:
    assert "on a GPU only" in refusal(capability=None, quantization="fp8")


def test_an_awq_checkpoint_must_say_what_is_not_quantised() -> None:
    model = replace(published_model(), quantization="awq")
    with pytest.raises(SettingsConflictError, match='"modules_to_not_convert":'):
        check_settings(EngineSettings(), model, machine(gpu(24)))


def test_quantised_weights_on_a_cpu_need_amx() -> None:
    model = replace(published_model(), quantization="gptq")
    check_settings(EngineSettings(), model, machine())
    with pytest.raises(SettingsConflictError, match="need a GPU or a CPU with AMX"):
        check_settings(EngineSettings(), model, machine(has_amx=False))


def test_bfloat16_needs_ampere() -> None:
    assert "Set DTYPE=float16, or auto." in refusal(capability=TURING, dtype="bfloat16")
    assert refusal(capability=TURING, dtype="float16") == ""
    assert refusal(capability=TURING) == ""


def test_quantised_weights_need_a_card_that_knows_them() -> None:
    said = refusal(capability=(7, 0), stored="awq")
    assert "need a card of compute capability 7.5" in said


def test_a_kv_cache_in_fp8_needs_a_card_with_fp8() -> None:
    assert refusal(capability=ADA, kv_cache_dtype="fp8") == ""
    said = refusal(capability=AMPERE, kv_cache_dtype="fp8")
    assert "needs a card of compute capability 8.9" in said
    assert "Set KV_CACHE_DTYPE=fp8_e5m2 or auto." in said
    assert refusal(capability=AMPERE, kv_cache_dtype="fp8_e5m2") == ""
    assert "Set KV_CACHE_DTYPE=auto." in refusal(capability=TURING, kv_cache_dtype="fp8_e5m2")


def test_fp8_weights_and_a_kv_cache_in_e5m2_do_not_go_together() -> None:
    assert "Set KV_CACHE_DTYPE=fp8." in refusal(stored="fp8", kv_cache_dtype="fp8_e5m2")


def test_a_kv_cache_in_fp8_on_a_cpu_needs_avx512() -> None:
    settings = EngineSettings(kv_cache_dtype="fp8")
    check_settings(settings, published_model(), machine())
    with pytest.raises(SettingsConflictError, match="AVX-512"):
        check_settings(settings, published_model(), machine(has_avx512=False))


def test_a_page_longer_than_the_model_knows_is_refused() -> None:
    assert "the model knows 8192 positions" in refusal(max_model_len=16384)


def test_a_model_is_not_split_over_cards_that_are_not_there() -> None:
    assert "1 card(s) can be used" in refusal(tensor_parallel_size=2)
    model, two = published_model(), machine(gpu(24), gpu(24, index=1), gpu(24, index=2))
    check_settings(EngineSettings(tensor_parallel_size=2), model, two)
    with pytest.raises(SettingsConflictError, match="Set it to one of 1, 2"):
        check_settings(EngineSettings(tensor_parallel_size=3), model, two)


def test_all_conflicts_are_told_at_once() -> None:
    said = refusal(capability=TURING, dtype="bfloat16", max_model_len=16384)
    assert "bfloat16" in said
    assert "MAX_MODEL_LEN" in said
