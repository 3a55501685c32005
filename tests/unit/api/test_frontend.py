"""The built web page as browsers get it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from folio.api.app import create_app
from folio.api.frontend import accepted_codings
from folio.config import ServerSettings, Settings
from folio.engine.fake import FakeEngine


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Folio</title>")
    (folder / "assets" / "index-abc.js").write_text("plain()")
    (folder / "assets" / "index-abc.js.br").write_bytes(b"brotli")
    (folder / "assets" / "index-abc.js.gz").write_bytes(b"gzip")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def make_app(frontend: Path, data: Path) -> FastAPI:
    server = ServerSettings(data_dir=data, frontend_dir=frontend)
    return create_app(Settings(server=server), FakeEngine())


@pytest.fixture
async def client(dist: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(dist, tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://folio") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/documents", "/tasks", "/tasks/some-id", "/no/such/view"])
async def test_every_address_of_the_page_is_its_index(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_page_may_run_no_foreign_or_inline_script(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "img-src 'self' blob: data:;" in policy


@pytest.mark.parametrize(
    ("accepted", "content", "coding"),
    [
        ("gzip, deflate, br", b"brotli", "br"),
        ("gzip", b"gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", b"gzip", "gzip"),
        ("identity", b"plain()", None),
    ],
)
async def test_assets_come_compressed_and_for_ever(
    client: httpx.AsyncClient, accepted: str, content: bytes, coding: str | None
) -> None:
    async with client.stream(
        "GET", "/assets/index-abc.js", headers={"Accept-Encoding": accepted}
    ) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert raw == content
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_an_asset_of_another_build_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/assets/index-old.js")).status_code == 404


async def test_nothing_outside_the_folder_is_served(client: httpx.AsyncClient) -> None:
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
        assert "secret" not in (await client.get(path)).text


@pytest.mark.parametrize("path", ["/api/nothing", "/internal/nothing", "/api"])
async def test_a_wrong_address_of_the_api_stays_a_problem(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_built_page_the_service_is_its_api(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(make_app(tmp_path / "nothing", tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://folio") as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.get("/livez")).status_code == 200


def test_weights_decide_whether_a_coding_is_accepted() -> None:
    assert accepted_codings("br;q=1.0, gzip;q=0.001, zstd;q=0.000, x;q=0") == {"br", "gzip"}
