"""The application around a scripted engine, called without a network."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from folio.api.app import create_app
from folio.config import LimitSettings, Settings
from folio.engine.fake import FakeEngine

MAX_UPLOAD_BYTES = 400_000


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(answer="<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Hello")


@pytest.fixture
async def app(engine: FakeEngine) -> AsyncIterator[FastAPI]:
    limits = LimitSettings(max_upload_bytes=MAX_UPLOAD_BYTES, request_timeout_seconds=0.5)
    app = create_app(Settings(limits=limits), engine)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://folio") as client:
        yield client
