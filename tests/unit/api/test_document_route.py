"""POST /api/ocr/pdf: what is taken, and what is refused at once."""

import asyncio
import io
from pathlib import Path

import httpx
import pymupdf
import pytest
from fastapi import FastAPI
from PIL import Image

from folio.engine.fake import FakeEngine
from tests.pages import encode, print_page
from tests.unit.api.conftest import MAX_DOCUMENT_BYTES, MAX_UPLOAD_BYTES, wait_for_end
from tests.unit.documents_pdf.pdfs import raw_pdf, write_pdf
from tests.unit.documents_pdf.test_hostile_pages import write_image_bomb
from tests.unit.storage.test_local_storage import largest_file


async def post(
    client: httpx.AsyncClient, data: bytes, name: str = "a.pdf", **fields: str
) -> httpx.Response:
    return await client.post("/api/ocr/pdf", files={"pdf": (name, data)}, data=fields)


@pytest.fixture
def pdf(tmp_path: Path) -> bytes:
    return write_pdf(tmp_path / "three.pdf", 3).read_bytes()


async def test_a_document_becomes_a_task_with_results(
    client: httpx.AsyncClient, pdf: bytes
) -> None:
    answer = await post(client, pdf, "Übersicht.pdf", pages="2-3")
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert answer.headers["location"] == f"/api/tasks/{task_id}"

    task = await wait_for_end(client, task_id)
    assert (task["status"], task["kind"], task["filename"]) == (
        "succeeded",
        "pdf",
        "Übersicht.pdf",
    )
    assert task["progress"] == {
        "num_pages": 2,
        "pages_done": 2,
        "pages_failed": 0,
        "percent": 100.0,
        "message": "done, 2 pages",
    }
    assert task["timing"]["duration_ms"] >= 0
    assert task["error"] is None

    markdown = await client.get(task["result"]["markdown_url"])
    assert "<!-- page 2 -->" in markdown.text
    assert markdown.headers["content-disposition"] == (
        "attachment; filename=\"_bersicht.md\"; filename*=UTF-8''%C3%9Cbersicht.md"
    )
    assert int(markdown.headers["content-length"]) == len(markdown.content)
    assert (await client.get(task["result"]["json_url"])).json()["pages"]
    assert (await client.get(task["result"]["zip_url"])).content.startswith(b"PK")

    pages = (await client.get(f"/api/tasks/{task_id}/pages")).json()
    assert [page["page_number"] for page in pages["pages"]] == [2, 3]
    assert pages["pages"][0]["markdown"] == "# Hello"
    assert pages["pages"][0]["blocks"][0]["label"] == "title"
    picture = await client.get(pages["pages"][0]["image_url"])
    assert picture.content.startswith(b"\xff\xd8\xff")
    small = await client.get(f"{pages['pages'][0]['image_url']}?width=64")
    assert Image.open(io.BytesIO(small.content)).width == 64
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["x-content-type-options"] == "nosniff"
    too_wide = await client.get(f"{pages['pages'][0]['image_url']}?width=9999")
    assert too_wide.json()["code"] == "validation_error"


async def test_a_figure_is_given_in_every_width(
    client: httpx.AsyncClient, engine: FakeEngine, pdf: bytes
) -> None:
    engine.answer = "<|ref|>image<|/ref|><|det|>[[0, 0, 999, 499]]<|/det|>"
    task_id = (await post(client, pdf, pages="1")).json()["task_id"]
    await wait_for_end(client, task_id)
    figure = f"/api/tasks/{task_id}/files/images/page-0001-figure-1.jpg"
    whole, small = await client.get(figure), await client.get(f"{figure}?width=64")
    assert Image.open(io.BytesIO(whole.content)).width > 64
    assert Image.open(io.BytesIO(small.content)).width == 64


@pytest.mark.parametrize(
    "fields",
    [
        {"pages": "5-2"},
        {"pages": "0"},
        {"pages": "first"},
        {"mode": "huge"},
        {"task": "sing"},
        {"task": "locate"},
        {"dpi": "5"},
    ],
)
async def test_wrong_options_are_refused_at_once(
    client: httpx.AsyncClient, pdf: bytes, fields: dict[str, str]
) -> None:
    answer = await post(client, pdf, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert (await client.get("/api/tasks")).json()["tasks"] == []


async def test_what_a_refusal_names_stands_beside_its_words(
    client: httpx.AsyncClient, pdf: bytes
) -> None:
    dpi = (await post(client, pdf, dpi="5")).json()
    assert (dpi["field"], dpi["min_dpi"], dpi["max_dpi"]) == ("dpi", 36, 600)
    assert (await post(client, pdf, pages="5-2")).json()["field"] == "pages"
    assert (await post(client, pdf, task="locate")).json()["field"] == "query"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "invalid_input"),
        (b"Dear Sir or Madam", 415, "unsupported_media_type"),
        (encode(print_page(size=(60, 60))), 415, "unsupported_media_type"),
    ],
)
async def test_what_is_no_document_is_refused_at_once(
    client: httpx.AsyncClient, data: bytes, status: int, code: str
) -> None:
    answer = await post(client, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_two_documents_in_one_call_are_refused(client: httpx.AsyncClient, pdf: bytes) -> None:
    answer = await client.post("/api/ocr/pdf", files=[("pdf", pdf), ("pdf", pdf)])
    assert answer.status_code == 400


async def test_documents_have_a_limit_of_their_own(client: httpx.AsyncClient) -> None:
    answer = await post(client, b"%PDF-" + bytes(MAX_UPLOAD_BYTES * 2))
    assert answer.status_code == 202
    refused = await post(client, bytes(MAX_DOCUMENT_BYTES + 300_000))
    assert refused.status_code == 413
    assert refused.json()["code"] == "upload_too_large"
    assert "MAX_DOCUMENT_BYTES" in refused.json()["detail"]
    assert refused.json()["max_bytes"] == MAX_DOCUMENT_BYTES


async def test_a_disk_without_room_for_the_upload_is_not_the_requests_fault(
    client: httpx.AsyncClient,
) -> None:
    with largest_file(100_000):
        answer = await post(client, b"%PDF-" + bytes(1_150_000))

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert "TMPDIR" in answer.json()["detail"]


def encrypted(path: Path) -> bytes:
    document = pymupdf.open()
    document.new_page()
    document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret", owner_pw="more")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("encrypted", "encrypted_document"),
        ("truncated", "corrupt_document"),
        ("no pages", "corrupt_document"),
        ("page 999", "invalid_input"),
    ],
)
async def test_what_only_a_worker_can_see_fails_the_task(
    client: httpx.AsyncClient, pdf: bytes, tmp_path: Path, kind: str, code: str
) -> None:
    data = {
        "encrypted": encrypted(tmp_path / "encrypted.pdf"),
        "truncated": pdf[:40],
        "no pages": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "page 999": pdf,
    }[kind]
    fields = {"pages": "999"} if kind == "page 999" else {}
    task_id = (await post(client, data, **fields)).json()["task_id"]
    task = await wait_for_end(client, task_id)
    assert (task["status"], task["error"]["code"], task["result"]) == ("failed", code, None)
    named = {"field": "pages", "num_pages": 3} if kind == "page 999" else {}
    assert task["error"]["values"] == named
    result = await client.get(f"/api/tasks/{task_id}/result.md")
    assert (result.status_code, result.json()["code"]) == (409, "task_already_finished")


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("1 x 1 point", {"ok", "blank"}),
        ("200 x 200 inches", {"ok"}),
        ("200,000 inches", {"ok", "blank", "failed"}),
        ("an image of gigapixels", {"ok", "blank", "failed"}),
    ],
)
async def test_a_page_of_an_absurd_size_harms_nobody(
    client: httpx.AsyncClient, pdf: bytes, tmp_path: Path, kind: str, statuses: set[str]
) -> None:
    path = tmp_path / "absurd.pdf"
    match kind:
        case "1 x 1 point":
            write_pdf(path, 1, width=1, height=1)
        case "200 x 200 inches":
            write_pdf(path, 1, width=14_400, height=14_400)
        case "200,000 inches":
            raw_pdf(path, media_box="0 0 14400000 14400000", content=b"0 0 9 9 re f")
        case _:
            write_image_bomb(path)
    data = await asyncio.to_thread(path.read_bytes)
    assert len(data) < 100_000
    task_id = (await post(client, data, dpi="600")).json()["task_id"]
    task = await wait_for_end(client, task_id)

    pages = (await client.get(f"/api/tasks/{task_id}/pages")).json()["pages"]
    assert {page["status"] for page in pages} <= statuses
    assert task["status"] == ("failed" if pages[0]["status"] == "failed" else "succeeded")
    good = await wait_for_end(client, (await post(client, pdf)).json()["task_id"])
    assert good["status"] == "succeeded"


async def test_a_broken_cross_reference_table_is_mended(
    client: httpx.AsyncClient, pdf: bytes
) -> None:
    position = pdf.rindex(b"startxref")
    task_id = (await post(client, pdf[:position] + b"startxref\n1\n%%EOF")).json()["task_id"]
    task = await wait_for_end(client, task_id)
    assert (task["status"], task["progress"]["num_pages"]) == ("succeeded", 3)


async def test_a_cancel_stops_the_pages_in_the_engine(
    app: FastAPI, client: httpx.AsyncClient, engine: FakeEngine, pdf: bytes
) -> None:
    engine.answer, engine.seconds_per_token = "word " * 1000, 0.1
    task_id = (await post(client, pdf)).json()["task_id"]
    await asyncio.wait_for(engine.was_asked.wait(), 10)
    answer = await client.delete(f"/api/tasks/{task_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    await asyncio.sleep(1.5)
    assert engine.num_running == 0
    assert (await client.delete(f"/api/tasks/{task_id}")).status_code == 204
    assert (await client.get(f"/api/tasks/{task_id}")).status_code == 404
