"""One figure: a server under so many requests at once, in passes without a pause between them."""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from bench.speed.load import Finished, Load
from bench.speed.meters import Meter
from bench.speed.servers import Server
from tests.plugin import REPOSITORY


@dataclass(frozen=True)
class Plan:
    """How to measure. A pass before the first one warms up and is not counted."""

    concurrency: int
    num_tokens: int
    num_passes: int
    pages_per_pass: int
    seconds: float


def measure(server: Server, plan: Plan, pages: list[Path]) -> dict[str, Any]:
    """The medians of the passes, and what the server used over all of them."""
    calls = [server.call(page, plan.num_tokens) for page in pages]
    num_requests = (1 + plan.num_passes) * plan.pages_per_pass + plan.concurrency
    load = Load(server.url, calls, plan.concurrency, num_requests, plan.seconds)
    reset_stages(server)
    with Meter(server.process.pid) as meter:
        started = time.monotonic()
        finished = run_load(load)
    tell_errors(server, finished, started)
    return summarise(finished, plan, meter) | {"stages_ms": read_stages(server)}


def tell_errors(server: Server, finished: Sequence[Finished], started: float) -> None:
    errors = [request for request in finished if request.error]
    for request in errors[:5]:
        print(
            f"failed {request.ended - started:.1f} s after the load began, "
            f"{request.ended - request.started:.1f} s after it was sent: {request.error}"
        )
    if errors:
        print(f"the server's log ends:\n{server.log_path.read_text()[-4000:]}", flush=True)


def run_load(load: Load) -> list[Finished]:
    """In the order in which they ended."""
    loads = load.shared_out()
    with ThreadPoolExecutor(len(loads)) as pool:
        parts = list(pool.map(run_process, loads))
    return sorted(chain.from_iterable(parts), key=lambda request: request.ended)


def run_process(load: Load) -> list[Finished]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.speed.load"],
        input=load.to_json(),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    return [Finished(**json.loads(line)) for line in done.stdout.splitlines()]


def summarise(finished: Sequence[Finished], plan: Plan, meter: Meter) -> dict[str, Any]:
    """The last requests run while others have ended already: they belong to no pass."""
    errors = [request.error for request in finished if request.error]
    counted = finished[: len(finished) - plan.concurrency + 1]
    size = plan.pages_per_pass
    passes = [
        counted[first - 1 : first + size] for first in range(size, len(counted) - size + 1, size)
    ]
    if errors or not passes:
        return {"errors": errors[:3], "num_errors": len(errors), "num_finished": len(finished)}
    rates = [size / (requests[-1].ended - requests[0].ended) for requests in passes]
    measured = [request for requests in passes for request in requests[1:]]
    start, end = passes[0][0].ended, passes[-1][-1].ended
    latencies = sorted(request.ended - request.started for request in measured)
    num_tokens = statistics.mean(request.num_tokens for request in measured)
    return {
        "pages_per_second": statistics.median(rates),
        "pages_per_second_of_passes": rates,
        # Where a load beats in time the passes are fast and slow by turns, and no median is true.
        "pages_per_second_overall": len(measured) / (end - start),
        "output_tokens_per_second": statistics.median(rates) * num_tokens,
        "output_tokens_per_page": num_tokens,
        "latency_p50_seconds": percentile(latencies, 50),
        "latency_p99_seconds": percentile(latencies, 99),
        "num_pages": len(measured),
        "gpu_busy_percent": meter.gpu_busy_percent(start, end),
        "cpu_seconds_per_page": meter.cpu_seconds(start, end) / len(measured),
        "gpu_megabytes": meter.gpu_megabytes,
        "peak_megabytes": meter.peak_megabytes(),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def reset_stages(server: Server) -> None:
    """vLLM's histograms only grow; what they held before is subtracted by reading them first."""
    server.http.post(f"{server.url}/bench/reset")


def read_stages(server: Server) -> dict[str, Any]:
    """Milliseconds by stage: p50 and p99 of Folio's, the mean of what vLLM's /metrics holds."""
    answer = server.http.get(f"{server.url}/bench/stages")
    if answer.status_code == httpx.codes.OK:
        stages: dict[str, Any] = answer.json()
        return stages
    return vllm_means(server.http.get(f"{server.url}/metrics").text)


def vllm_means(metrics: str) -> dict[str, Any]:
    """Means over the server's life so far, of the times that vLLM keeps per request."""
    means = {}
    for name, key in (
        ("time_to_first_token_seconds", "first_token"),
        ("request_prefill_time_seconds", "prefill"),
        ("request_decode_time_seconds", "decode"),
        ("request_queue_time_seconds", "queue"),
    ):
        total = sum_of(metrics, f"vllm:{name}_sum")
        count = sum_of(metrics, f"vllm:{name}_count")
        if count:
            means[key] = {"mean": 1000 * total / count}
    return means


def sum_of(metrics: str, name: str) -> float:
    pattern = rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$"
    return sum(float(value) for value in re.findall(pattern, metrics, re.MULTILINE))
