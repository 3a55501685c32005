"""The application around a scripted engine, called without a network."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from folio.api.app import create_app
from folio.config import LimitSettings, ServerSettings, Settings
from folio.engine.fake import FakeEngine

MAX_UPLOAD_BYTES = 400_000
MAX_DOCUMENT_BYTES = 1_000_000


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(answer="<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Hello")


@pytest.fixture
def request_timeout_seconds() -> float:
    """Long, for a busy machine; short in the tests that `impatient` marks."""
    return 60.0


impatient = pytest.mark.parametrize("request_timeout_seconds", [0.5])


@pytest.fixture
async def app(
    engine: FakeEngine, tmp_path: Path, request_timeout_seconds: float
) -> AsyncIterator[FastAPI]:
    server = ServerSettings(data_dir=tmp_path)
    limits = LimitSettings(
        max_upload_bytes=MAX_UPLOAD_BYTES,
        max_document_bytes=MAX_DOCUMENT_BYTES,
        request_timeout_seconds=request_timeout_seconds,
    )
    app = create_app(Settings(server=server, limits=limits), engine)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://folio") as client:
        yield client


async def wait_for_end(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """The task as it ended."""
    async with asyncio.timeout(30):
        while True:
            task: dict[str, Any] = (await client.get(f"/api/tasks/{task_id}")).json()
            if task["status"] not in ("queued", "running"):
                return task
            await asyncio.sleep(0.05)
