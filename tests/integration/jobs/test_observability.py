"""A worker process as an operator watches it: its own /metrics, and its log."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import httpx

from folio.db import TaskStatus
from tests.integration.jobs.conftest import MakeHouse
from tests.metrics import Samples
from tests.otlp import running_collector
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
            told = httpx.get(f"http://127.0.0.1:{port}/health", verify=False).json()
        except httpx.TransportError:
            return False
        return told["status"] == status and reason in (told["reason"] or "")

    await eventually(lambda: says("healthy", ""), seconds=30)
    redis.stop()
    await eventually(lambda: says("unhealthy", "The broker does not answer"), seconds=30)
    redis.start()
    await eventually(lambda: says("healthy", ""), seconds=30)


async def test_a_document_is_one_trace_through_the_queue_and_the_worker_to_the_engine(
    make_house: MakeHouse, pdf_of_30: Path
) -> None:
    with running_collector() as collector:
        house = make_house(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="200")
        await house.start_service()
        house.start_worker()
        async with httpx.AsyncClient(base_url=house.url) as client:
            files = {"pdf": await asyncio.to_thread(pdf_of_30.read_bytes)}
            task_id = UUID((await client.post("/api/ocr/pdf", files=files)).json()["task_id"])
        assert (await house.wait_for_end(task_id)).status is TaskStatus.SUCCEEDED

        def num_answered() -> int:
            roots = collector.roots("POST /api/ocr/pdf")
            spans = [span for root in roots for span in collector.tree_of(root)]
            return sum(span.name == "POST /internal/infer" for span in spans)

        await eventually(lambda: num_answered() == 30)
        (root,) = collector.roots("POST /api/ocr/pdf")
        tree = collector.tree_of(root)
    assert root.service == "folio"
    by_service = {
        service: {span.name for span in tree if span.service == service}
        for service in ("folio", "folio-worker")
    }
    assert by_service["folio-worker"] == {"advance document", "read page"}
    assert "POST /internal/infer" in by_service["folio"]
    assert sum(span.name == "read page" for span in tree) == 30
