"""How the figures of bench.speed come from what was seen."""

import json
from pathlib import Path

import httpx
import pytest

from bench.speed.load import Call, Finished, Load, build_requests
from bench.speed.measuring import Plan, summarise, vllm_means
from bench.speed.meters import Meter, ProcessUse
from bench.speed.results import Results
from bench.speed.servers import SERVERS, ServerOptions, is_whole

PLAN = Plan(concurrency=2, num_tokens=8, num_passes=2, pages_per_pass=4, seconds=60)


class IdleMeter(Meter):
    """A meter that has seen one process use half a core."""

    def __init__(self) -> None:
        self.processes = {1: ProcessUse("python", {float(s): s / 2 for s in range(60)}, 2**20)}
        self.gpu_percent = {5.0: 80.0, 6.0: 90.0}
        self.gpu_megabytes = 0.0


def steady(num_requests: int, seconds_each: float) -> list[Finished]:
    return [Finished(n * seconds_each, (n + 1) * seconds_each, 8) for n in range(num_requests)]


def test_a_steady_rate_is_found_whatever_the_first_pass_was() -> None:
    slow_start = [Finished(-100.0, n * 0.001, 8) for n in range(3)]
    figures = summarise([*slow_start, *steady(11, 0.5)], PLAN, IdleMeter())
    assert figures["pages_per_second"] == 2.0
    assert figures["pages_per_second_overall"] == 2.0
    assert figures["output_tokens_per_second"] == 16.0
    assert figures["cpu_seconds_per_page"] == 0.25
    assert figures["num_pages"] == 8


def test_a_load_with_errors_gives_no_figure() -> None:
    failed = Finished(0.0, 1.0, 0, error="HTTPStatusError: 503")
    figures = summarise([*steady(13, 0.5), failed], PLAN, IdleMeter())
    assert "pages_per_second" not in figures
    assert figures["errors"] == ["HTTPStatusError: 503"]


def test_a_load_that_was_cut_short_gives_no_figure() -> None:
    assert "pages_per_second" not in summarise(steady(5, 0.5), PLAN, IdleMeter())


def test_figures_of_many_runs_stand_in_one_table_with_their_ratio(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    for label, seconds in (("stock", 1.0), ("folio", 0.25)):
        figures = summarise(steady(14, seconds), PLAN, IdleMeter())
        Results(path).add(label, "jpeg", "gundam", PLAN, figures)
    assert len(json.loads(path.read_text())) == 2
    stock, folio = Results(path).table().splitlines()[-2:]
    assert stock.endswith("| 1.00 |")
    assert folio.endswith("| 4.00 |")


def test_a_figure_that_stock_did_not_come_to_leaves_the_others_their_table(tmp_path: Path) -> None:
    results = Results(tmp_path / "speed.json")
    results.add("stock", "jpeg", "gundam", PLAN, summarise(steady(5, 0.5), PLAN, IdleMeter()))
    results.add("folio", "jpeg", "gundam", PLAN, summarise(steady(14, 0.5), PLAN, IdleMeter()))
    (folio,) = results.table().splitlines()[2:]
    assert folio.endswith("| - |")


def test_vllms_own_times_are_read_over_all_its_servers() -> None:
    metrics = (
        'vllm:time_to_first_token_seconds_sum{engine="0"} 3.0\n'
        'vllm:time_to_first_token_seconds_sum{engine="1"} 1.0\n'
        'vllm:time_to_first_token_seconds_count{engine="0"} 6\n'
        'vllm:time_to_first_token_seconds_count{engine="1"} 2\n'
    )
    assert vllm_means(metrics) == {"first_token": {"mean": 500.0}}


def test_both_servers_are_sent_the_same_picture(tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(b"picture")
    stock, folio = (SERVERS[name].call(page, 16, "gundam") for name in ("stock", "folio"))
    assert stock.json is not None
    assert stock.json["ignore_eos"] is True
    (as_json,), (as_form,) = (list(build_requests([call])) for call in (stock, folio))
    assert b"cGljdHVyZQ==" in as_json["content"]
    assert b"picture" in as_form["content"]


def test_stock_vllm_runs_without_our_plugin(tmp_path: Path) -> None:
    options = ServerOptions(model=tmp_path, mode="gundam", is_random=True)
    assert SERVERS["stock"].environment(options) == {"VLLM_PLUGINS": ""}


def test_a_large_load_is_shared_out_to_processes() -> None:
    calls = [Call("/a"), Call("/b")]
    parts = Load("http://x", calls, concurrency=200, num_requests=1001, seconds=4.0).shared_out()
    assert [part.concurrency for part in parts] == [67, 67, 66]
    assert sum(part.num_requests for part in parts) == 1001
    assert [part.calls[0].path for part in parts[:2]] == ["/a", "/b"]
    small = Load("http://x", calls, concurrency=96, num_requests=10, seconds=4.0)
    assert small.shared_out() == [small]


def test_a_load_goes_to_its_process_and_back() -> None:
    load = Load("http://x", [Call("/a", json={"b": 1}), Call("/c", file="d")], 2, 3, 4.0)
    assert Load.from_json(load.to_json()) == load


@pytest.mark.parametrize(
    ("status_code", "engines", "is_ready"),
    [
        (200, None, True),
        (200, ["healthy", "healthy"], True),
        (200, ["healthy", "starting"], False),
        (503, None, False),
    ],
)
def test_the_load_waits_for_all_engines(
    status_code: int, engines: list[str] | None, is_ready: bool
) -> None:
    assert is_whole(httpx.Response(status_code, json={"engines": engines})) is is_ready


def test_stock_vllm_is_ready_without_a_word() -> None:
    assert is_whole(httpx.Response(200))
