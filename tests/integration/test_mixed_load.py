"""64 requests of mixed modes and sizes at once, a third of them cancelled: all others answered."""

import asyncio
import random
import time
from dataclasses import dataclass

import httpx
import pytest

from tests.metrics import Samples
from tests.pages import encode, print_page
from tests.service import Service

pytestmark = pytest.mark.engine

NUM_REQUESTS = 64
# Those the small model reads without an error in these sizes; the others are asked for their form.
EXACT_MODES = ("small",)
MODES = ("tiny", "small", "small", "base", "large", "gundam")
SIZES = ((640, 640), (500, 700), (640, 400), (900, 700))


@dataclass(frozen=True)
class Case:
    """One page to send, and after how many seconds its client goes away (None: it stays)."""

    number: int
    mode: str
    size: tuple[int, int]
    cancel_after_seconds: float | None

    @property
    def line(self) -> str:
        return f"Page number {self.number}"


def make_cases() -> list[Case]:
    rng = random.Random(7)
    cases = []
    for number in range(NUM_REQUESTS):
        mode = rng.choice(MODES)
        size = (640, 640) if mode in EXACT_MODES else rng.choice(SIZES)
        cancel_after = rng.uniform(0, 6) if number % 3 == 0 else None
        cases.append(Case(number, mode, size, cancel_after))
    return cases


async def send(client: httpx.AsyncClient, case: Case) -> httpx.Response | None:
    """The answer, or None where the client went away first."""
    page = encode(print_page([case.line], size=case.size))
    request = client.post(
        "/api/ocr/image",
        files={"image": ("page.png", page)},
        data={"mode": case.mode, "task": "free", "max_tokens": "40"},
    )
    try:
        return await asyncio.wait_for(request, case.cancel_after_seconds)
    except TimeoutError:
        return None


async def test_every_request_that_stays_is_answered_rightly(service: Service) -> None:
    cases = make_cases()
    limits = httpx.Limits(max_connections=NUM_REQUESTS)
    async with httpx.AsyncClient(base_url=service.url, timeout=200, limits=limits) as client:
        answers = await asyncio.gather(*[send(client, case) for case in cases])

    gone = sum(answer is None for answer in answers)
    assert gone >= NUM_REQUESTS // 6, "too few clients went away for this test to mean anything"
    for case, answer in zip(cases, answers, strict=True):
        if case.cancel_after_seconds is None:
            assert answer is not None
        if answer is None:
            continue
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["mode"] == case.mode
        assert (page["image"]["width"], page["image"]["height"]) == case.size
        if case.mode in EXACT_MODES:
            assert page["text"] == case.line
    assert_nothing_is_left_running(service)


def assert_nothing_is_left_running(service: Service) -> None:
    deadline = time.monotonic() + 10
    while service.health().json()["requests_in_progress"]:
        assert time.monotonic() < deadline, "requests of clients that left are still running"
        time.sleep(0.05)


async def test_metrics_tell_of_the_load(service: Service) -> None:
    """After the test above, on the same service."""
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        samples = Samples.parse((await client.get("/metrics")).text)
    answered = samples[
        'folio_http_requests_total{method="POST",route="/api/ocr/image",status="200"}'
    ]
    assert answered >= NUM_REQUESTS // 2
    assert samples['folio_pages_total{kind="image",status="canceled"}'] > 0
    assert samples['folio_generations_total{end="unfinished"}'] > 0
    for kind in ("prompt", "image", "completion"):
        assert samples[f'folio_tokens_total{{type="{kind}"}}'] > answered
    for stage in ("decode_file", "preprocess", "queue", "prefill", "decode"):
        assert samples[f'folio_stage_seconds_count{{stage="{stage}"}}'] >= NUM_REQUESTS // 2
    assert samples["folio_time_to_first_token_seconds_sum"] > 0
    assert samples["folio_engine_requests"] == 0
    of_vllm = 'engine="0",model_name="folio-nano"'
    assert samples[f"vllm:num_requests_running{{{of_vllm}}}"] == 0
    assert samples[f"vllm:generation_tokens_total{{{of_vllm}}}"] > answered
