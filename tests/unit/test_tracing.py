"""A trace is one tree, from the upload through the queue and over HTTP to the engine."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from folio.api.app import create_app
from folio.config import JobSettings, ServerSettings, Settings
from folio.engine.fake import FakeEngine
from folio.engine.remote import RemoteEngine
from folio.engine.supervised import SupervisedEngine
from folio.engine.supervisor import RestartPolicy
from folio.pipeline.page import PageOptions, recognize_page
from folio.telemetry.tracing import span, trace_id
from tests.pages import encode, print_page
from tests.programs import eventually
from tests.unit.api.conftest import wait_for_end
from tests.unit.documents_pdf.pdfs import write_pdf

TOKEN = "secret"
CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def provider() -> TracerProvider:
    """Of the whole process: OpenTelemetry lets it be set once."""
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    return provider


@pytest.fixture
def exporter(provider: TracerProvider) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    engine = SupervisedEngine(
        lambda: FakeEngine(answer="some words"),
        RestartPolicy(silence_seconds=60, max_failed_starts=1),
    )
    settings = Settings(
        server=ServerSettings(data_dir=folder, internal_api_token=TOKEN),
        jobs=JobSettings(pages_per_range=2),  # so that the document's message is sent on
    )
    app = create_app(settings, engine)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://folio", timeout=60) as client,
    ):
        await eventually(lambda: engine.status.state == "healthy")
        yield app, client


def tree_of(spans: Sequence[ReadableSpan], root: ReadableSpan) -> list[str]:
    """The names of all that hang on the root, in its trace."""
    names, open_ids = [], {root.context.span_id}
    rest = [each for each in spans if each.context.trace_id == root.context.trace_id]
    while children := [each for each in rest if each.parent and each.parent.span_id in open_ids]:
        names += [child.name for child in children]
        open_ids = {child.context.span_id for child in children}
    return sorted(names)


def root_of(spans: Sequence[ReadableSpan], name: str) -> ReadableSpan:
    (root,) = [each for each in spans if each.name == name]
    return root


async def test_a_document_is_one_tree_from_its_upload_to_the_engine(
    exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    pdf = write_pdf(tmp_path / "four.pdf", 4).read_bytes()
    async with serving(tmp_path) as (_, client):
        task_id = (await client.post("/api/ocr/pdf", files={"pdf": pdf})).json()["task_id"]
        assert (await wait_for_end(client, task_id))["status"] == "succeeded"
    spans = exporter.get_finished_spans()
    names = tree_of(spans, root_of(spans, "POST /api/ocr/pdf"))
    assert names.count("read page") == names.count("generate") == 4
    assert names.count("advance document") >= 2  # a message for each range
    assert set(names) == {"advance document", "read page", "generate"}


async def test_an_image_is_one_tree_and_part_of_its_callers_trace(
    exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    headers = {"traceparent": f"00-{CALLERS_TRACE}-b7ad6b7169203331-01"}
    async with serving(tmp_path) as (_, client):
        await client.post("/api/ocr/image", files={"image": encode(print_page())}, headers=headers)
        await client.get("/health")
    spans = exporter.get_finished_spans()
    root = root_of(spans, "POST /api/ocr/image")
    assert trace.format_trace_id(root.context.trace_id) == CALLERS_TRACE
    assert tree_of(spans, root) == ["generate"]
    assert {each.name for each in spans} == {"POST /api/ocr/image", "generate"}


async def test_a_workers_page_goes_on_in_the_service(
    exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    async with serving(tmp_path) as (app, _):
        remote = RemoteEngine(
            ["http://folio"], TOKEN, wait_seconds=10, transport=httpx.ASGITransport(app)
        )
        with span("read page"):
            await recognize_page(remote, np.asarray(print_page()), PageOptions())
        await remote.stop()
    spans = exporter.get_finished_spans()
    assert tree_of(spans, root_of(spans, "read page")) == ["POST /internal/infer", "generate"]


def test_without_a_span_there_is_no_id() -> None:
    assert trace_id() is None
