"""A worker process as an operator watches it: its own /metrics, and its log."""

import json
from pathlib import Path

import httpx

from folio.db import TaskStatus
from tests.integration.jobs.conftest import MakeHouse
from tests.metrics import Samples
from tests.postgres import free_port
from tests.programs import eventually
from tests.redis import RedisServer


async def test_a_worker_tells_what_it_does(make_house: MakeHouse, pdf_of_30: Path) -> None:
    port = free_port()
    house = make_house(WORKER_METRICS_PORT=str(port), LOG_FORMAT="json")
    await house.start_service()
    worker = house.start_worker()

    task_id = await house.submit(pdf_of_30)
    assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED

    async with httpx.AsyncClient() as client:
        samples = Samples.parse((await client.get(f"http://127.0.0.1:{port}/metrics")).text)
    assert samples['folio_pages_total{kind="document",status="ok"}'] == 30
    assert samples['folio_page_readings_total{rung="asked"}'] == 30
    for stage in ("render", "pictures", "store"):
        assert samples[f'folio_stage_seconds_count{{stage="{stage}"}}'] == 30
    assert samples["process_resident_memory_bytes"] > 0

    events = [json.loads(line) for line in worker.log().splitlines()]
    (end,) = [event for event in events if event["message"].endswith("succeeded, 30 pages")]
    assert end["task_id"] == str(task_id)
    assert "page_number" not in end


async def test_a_worker_tells_whether_it_can_work(
    make_house: MakeHouse, redis: RedisServer
) -> None:
    port = free_port()
    house = make_house(WORKER_METRICS_PORT=str(port))
    await house.start_service()
    house.start_worker()

    def says(status: str, reason: str) -> bool:
        try:
            told = httpx.get(f"http://127.0.0.1:{port}/health").json()
        except httpx.TransportError:
            return False
        return told["status"] == status and reason in (told["reason"] or "")

    await eventually(lambda: says("healthy", ""), seconds=30)
    redis.stop()
    await eventually(lambda: says("unhealthy", "The broker does not answer"), seconds=30)
    redis.start()
    await eventually(lambda: says("healthy", ""), seconds=30)
