"""/metrics in the format that Prometheus reads, with what happened in it."""

import asyncio
from pathlib import Path

import httpx
import pytest

from folio.engine.fake import FakeEngine
from tests.metrics import Samples
from tests.pages import encode, print_page
from tests.programs import eventually
from tests.unit.api.conftest import wait_for_end
from tests.unit.documents_pdf.pdfs import write_pdf


async def scrape(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Samples.parse(answer.text)


async def post_image(client: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await client.post("/api/ocr/image", files={"image": data})


async def test_requests_pages_and_problems_are_counted(client: httpx.AsyncClient) -> None:
    before = await scrape(client)
    await post_image(client, encode(print_page()))
    await post_image(client, b"no image")
    await client.get("/api/tasks/00000000-0000-0000-0000-000000000000")
    after = await scrape(client)
    grown = {name: after[name] - before[name] for name in after}
    image = 'method="POST",route="/api/ocr/image"'
    assert grown[f'folio_http_requests_total{{{image},status="200"}}'] == 1
    assert grown[f'folio_http_requests_total{{{image},status="415"}}'] == 1
    task = 'method="GET",route="/api/tasks/{task_id}"'
    assert grown[f'folio_http_requests_total{{{task},status="404"}}'] == 1
    assert grown['folio_problems_total{code="unsupported_media_type"}'] == 1
    assert grown['folio_problems_total{code="task_not_found"}'] == 1
    assert grown['folio_pages_total{kind="image",status="ok"}'] == 1
    assert grown['folio_pages_total{kind="image",status="failed"}'] == 1
    assert grown['folio_stage_seconds_count{stage="decode_file"}'] == 2
    assert grown['folio_http_request_seconds_count{route="/api/ocr/image"}'] == 2


async def test_what_is_rare_is_there_before_it_happens(client: httpx.AsyncClient) -> None:
    """Prometheus sees no rise in a series that begins at 1: the first loss would be missed."""
    samples = await scrape(client)
    rare = [f'folio_engine_losses_total{{cause="{cause}"}}' for cause in ("died", "hung")]
    rare += [f'folio_problems_total{{code="{code}"}}' for code in ("engine_failed", "unauthorized")]
    failed = ("all_pages_failed", "encrypted_document", "internal_error")
    rare += [f'folio_tasks_total{{code="{code}",status="failed"}}' for code in failed]
    assert [name for name in rare if name not in samples] == []


async def test_addresses_that_do_not_exist_make_no_series(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.get(f"/api/nowhere-{number}")
    assert not [name for name in await scrape(client) if "nowhere" in name]


async def test_a_document_is_counted_by_page_reading_and_stage(
    client: httpx.AsyncClient, engine: FakeEngine, tmp_path: Path
) -> None:
    before = await scrape(client)
    pdf = write_pdf(tmp_path / "three.pdf", 3).read_bytes()
    task_id = (await client.post("/api/ocr/pdf", files={"pdf": pdf})).json()["task_id"]
    assert (await wait_for_end(client, task_id))["status"] == "succeeded"
    after = await scrape(client)
    grown = {name: after[name] - before[name] for name in after}
    assert grown['folio_pages_total{kind="document",status="ok"}'] == 3
    assert grown['folio_page_readings_total{rung="asked"}'] == 3
    assert grown['folio_tasks_total{code="",status="succeeded"}'] == 1
    for stage in ("render", "pictures", "store"):
        assert grown[f'folio_stage_seconds_count{{stage="{stage}"}}'] == 3


async def test_the_queue_shows_its_depth_and_age(
    client: httpx.AsyncClient, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.seconds_per_token = 60
    pdf = write_pdf(tmp_path / "three.pdf", 3).read_bytes()
    await client.post("/api/ocr/pdf", files={"pdf": pdf})
    await eventually(lambda: engine.num_running == 3)
    samples = await scrape(client)
    assert samples["folio_queue_pages"] == 3
    assert samples['folio_queue_tasks{status="running"}'] == 1
    assert samples['folio_queue_tasks{status="queued"}'] == 0
    assert samples["folio_queue_age_seconds"] == 0


async def test_the_engines_state_is_one_of_three(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    await asyncio.sleep(0)
    samples = await scrape(client)
    assert samples['folio_engine_state{state="healthy"}'] == 1
    engine.die("It was killed.")
    samples = await scrape(client)
    states = {state: samples[f'folio_engine_state{{state="{state}"}}'] for state in STATES}
    assert states == {"starting": 0, "healthy": 0, "unhealthy": 1}


STATES = ("starting", "healthy", "unhealthy")


async def test_text_is_given_also_where_openmetrics_is_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "folio_engine_state" in answer.text


@pytest.mark.parametrize("given", ["an id of the client's", "x" * 201, ""])
async def test_a_request_id_that_is_none_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/livez", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] not in ("", given)


async def test_a_clients_request_id_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez", headers={"X-Request-ID": "from-a-proxy:1"})
    assert answer.headers["x-request-id"] == "from-a-proxy:1"
