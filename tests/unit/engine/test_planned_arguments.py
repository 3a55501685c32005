"""What vLLM is told of a plan, in vLLM's own words."""

import pytest

from folio.config import EngineSettings, embedded_model_path
from folio.engine import vllm_arguments
from folio.engine.machine import GIBIBYTE, Machine
from folio.engine.preparation import look_at
from folio.engine.vllm_arguments import planned_arguments
from folio.model.tower import TowerOptions
from folio.model.windows import DECODE_WINDOW
from tests.machines import gpu, machine


def arguments_on(machine: Machine, **settings: object) -> dict[str, object]:
    engine = EngineSettings(**settings)
    return planned_arguments(engine, look_at(engine, embedded_model_path(), machine))


def test_a_card_is_taken_by_its_share() -> None:
    arguments = arguments_on(machine(gpu(24)), kv_cache_dtype="fp8", gpu_memory_budget_gb=6)
    assert arguments["gpu_memory_utilization"] == 0.25
    assert arguments["kv_cache_dtype"] == "fp8"
    assert arguments["dtype"] == "bfloat16"
    assert arguments["max_num_batched_tokens"] == 16384
    assert "kv_cache_memory_bytes" not in arguments


def test_a_cpu_is_given_its_kv_cache_in_bytes() -> None:
    arguments = arguments_on(machine(gigabytes=8))
    assert arguments["kv_cache_memory_bytes"] == GIBIBYTE
    assert arguments["max_num_seqs"] == 16
    assert arguments["dtype"] == "float32"
    assert "gpu_memory_utilization" not in arguments


def test_a_card_is_told_how_to_run_the_tower() -> None:
    arguments = arguments_on(machine(gpu(24)), tower_attention="fused", tower_cuda_graphs=True)
    chosen = TowerOptions.from_config(arguments["additional_config"])
    assert chosen == TowerOptions(attention="fused", compiled=False, cuda_graphs=True)


def test_a_card_decodes_in_windows() -> None:
    arguments = arguments_on(machine(gpu(24)), decode_window=5)
    assert arguments["worker_cls"] == "folio.model.worker.PageWorker"
    assert arguments["additional_config"][DECODE_WINDOW] == 5


def test_a_large_card_launches_steps_with_pages_as_graphs() -> None:
    sizes = arguments_on(machine(gpu(80)))["cudagraph_capture_sizes"]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 8192
    in_small_steps = arguments_on(machine(gpu(80)), max_num_batched_tokens=2048)
    assert in_small_steps["cudagraph_capture_sizes"][-1] == 2048
    assert arguments_on(machine(gpu(80)), enforce_eager=True)["cudagraph_capture_sizes"] is None
    assert arguments_on(machine(gpu(32)))["cudagraph_capture_sizes"] is None


def test_a_large_card_launches_the_tower_as_graphs() -> None:
    def has_graphs(gigabytes: int, **settings: object) -> bool:
        config = arguments_on(machine(gpu(gigabytes)), **settings)["additional_config"]
        return TowerOptions.from_config(config).cuda_graphs

    assert has_graphs(40)
    assert not has_graphs(24)
    assert not has_graphs(40, tower_cuda_graphs=False)


@pytest.mark.parametrize(
    ("asked_for", "takes_processors", "has_processor"),
    [("1", True, True), ("1", False, False), ("0", False, True), (None, False, True)],
)
def test_the_rule_is_a_logits_processor_where_the_runner_takes_one(
    monkeypatch: pytest.MonkeyPatch,
    asked_for: str | None,
    takes_processors: bool,
    has_processor: bool,
) -> None:
    monkeypatch.setattr(vllm_arguments, "second_runner_takes_processors", lambda: takes_processors)
    monkeypatch.delenv(vllm_arguments.SECOND_RUNNER, raising=False)
    if asked_for is not None:
        monkeypatch.setenv(vllm_arguments.SECOND_RUNNER, asked_for)
    assert bool(arguments_on(machine(gpu(24)))["logits_processors"]) == has_processor


@pytest.mark.parametrize(
    ("on_gpu", "takes_processors", "operators", "expected"),
    [
        (True, False, None, "1"),
        (True, False, "0", "0"),
        (True, True, None, None),
        (False, False, None, None),
    ],
)
def test_the_second_runner_is_asked_for_where_it_is_not_the_default(
    monkeypatch: pytest.MonkeyPatch,
    on_gpu: bool,
    takes_processors: bool,
    operators: str | None,
    expected: str | None,
) -> None:
    environment = {} if operators is None else {vllm_arguments.SECOND_RUNNER: operators}
    monkeypatch.setattr(vllm_arguments.os, "environ", environment)
    monkeypatch.setattr(vllm_arguments, "has_gpu", lambda: on_gpu)
    monkeypatch.setattr(vllm_arguments, "second_runner_takes_processors", lambda: takes_processors)
    vllm_arguments.prepare_environment()
    assert environment.get(vllm_arguments.SECOND_RUNNER) == expected
