"""POST /api/ocr/image on the real service: a picture of text comes back as its text."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from tests.pages import TEXT, encode, print_page
from tests.service import Service
from training.scoring import count_errors

pytestmark = pytest.mark.engine

URL = "/api/ocr/image"


def post(client: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return client.post(URL, files={"image": ("page.png", data)}, data=fields)


def test_the_log_says_what_the_engine_has_room_for(service: Service) -> None:
    assert "On the CPU: 16 pages at once, 8192 tokens each; KV cache 1.0 GB" in service.log()


def test_printed_lines_come_back_as_text(client: httpx.Client) -> None:
    answer = post(client, encode(print_page()), mode="small", task="free")
    assert answer.status_code == 200
    page = answer.json()
    assert page["text"].splitlines() == list(TEXT)
    assert page["finish_reason"] == "stop"
    assert page["mode"] == "small"
    assert page["model"] == "folio-nano"
    assert page["image"] == {"width": 640, "height": 640}
    assert page["usage"]["image_tokens"] == 111
    assert page["usage"]["prompt_tokens"] > 111
    assert page["timing"]["queued_at"] <= page["timing"]["started_at"]
    assert page["timing"]["duration_ms"] == page["duration_ms"] > 0


def test_print_of_all_sizes_is_read_with_few_errors(client: httpx.Client) -> None:
    """The whole page, in eleven sizes and two modes: at least three of four without an error."""
    jobs = [(size, mode) for size in range(18, 40, 2) for mode in ("small", "base")]

    def read(job: tuple[int, str]) -> str:
        size, mode = job
        answer = post(client, encode(print_page(font_size=size)), mode=mode, task="free")
        return str(answer.json()["text"])

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(read, jobs))
    printed = "\n".join(TEXT)
    counts = [count_errors(text, printed) for text in texts]
    wrong = {job: text for job, text in zip(jobs, texts, strict=True) if text != printed}
    assert len(wrong) <= len(jobs) // 4, wrong
    assert sum(edits for edits, _ in counts) < 0.005 * sum(length for _, length in counts), wrong


def test_lines_are_boxed_where_they_are_printed(client: httpx.Client) -> None:
    page = post(client, encode(print_page()), mode="small", task="ocr").json()
    assert [block["text"] for block in page["blocks"]] == list(TEXT)
    for number, block in enumerate(page["blocks"]):
        x0, y0, x1, y1 = block["box"]
        middle = 40 + number * 44 + 18
        assert 15 < x0 < 45
        assert y0 < middle < y1 < y0 + 60
        assert 200 < x1 < 640


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF"])
def test_every_format_is_read(client: httpx.Client, file_format: str) -> None:
    options = {} if file_format in ("TIFF", "BMP", "GIF") else {"quality": 95}
    data = encode(print_page(), file_format, **options)
    page = post(client, data, mode="small", task="free").json()
    assert page["text"].splitlines() == list(TEXT)


def test_a_page_photographed_sideways_is_read_as_the_same_page_upright(
    client: httpx.Client,
) -> None:
    upright = print_page(size=(640, 500))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a turn of 90 degrees clockwise
    sideways = encode(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    answer, expected = (
        post(client, data, mode="base", task="free").json() for data in (sideways, encode(upright))
    )
    assert answer["image"] == {"width": 640, "height": 500}
    assert answer["text"] == expected["text"]
    assert answer["text"].splitlines() == list(TEXT)


def test_what_looks_like_tags_on_a_page_is_text(client: httpx.Client) -> None:
    printed = ["See <|ref|> here", "<script>alert(1)</script>", "__import__('os')"]
    page = post(client, encode(print_page(printed)), mode="base", task="free").json()
    read = page["text"].replace(" ", "")  # the small model is not sure of spaces in code
    assert all(line.replace(" ", "") in read for line in printed)
    assert "<script>" not in page["markdown"]


@pytest.mark.parametrize("mode", ["tiny", "small", "base", "large", "gundam", "auto"])
def test_every_mode_answers(client: httpx.Client, mode: str) -> None:
    page = post(client, encode(print_page(size=(800, 1000))), mode=mode, max_tokens="8")
    assert page.status_code == 200
    assert page.json()["usage"]["completion_tokens"] <= 8


def test_an_answer_that_is_cut_says_so(client: httpx.Client) -> None:
    page = post(client, encode(print_page()), mode="small", task="free", max_tokens="3").json()
    assert page["finish_reason"] == "length"
    assert page["usage"]["completion_tokens"] == 3


def png_header_of(width: int, height: int) -> bytes:
    """A PNG of this size in its header, with 50 kB of compressed zeros behind."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    pixels = zlib.compress(bytes(40_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def cut(file_format: str) -> bytes:
    data = encode(print_page(), file_format)
    return data[: len(data) // 2]


BAD_FILES = {
    "empty": (b"", 400, "invalid_input"),
    "text named .png": (b"just some words, no picture", 415, "unsupported_media_type"),
    "cut JPEG": (cut("JPEG"), 422, "corrupt_image"),
    "cut PNG": (cut("PNG"), 422, "corrupt_image"),
    "pixel bomb": (png_header_of(40_000, 40_000), 413, "image_too_large"),
    "30,000 x 1": (encode(Image.new("L", (30_000, 1))), 413, "image_too_large"),
    "a PDF": (b"%PDF-1.7\n", 415, "unsupported_media_type"),
}


@pytest.mark.parametrize(("data", "status", "code"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_gets_its_code(
    client: httpx.Client, data: bytes, status: int, code: str
) -> None:
    assert_problem(post(client, data), status, code)


BAD_FIELDS = {
    "unknown mode": ({"mode": "huge"}, 400, "invalid_input"),
    "unknown task": ({"task": "dance"}, 400, "invalid_input"),
    "a prompt of 100 kB": ({"task": "custom", "prompt": "x" * 100_000}, 400, "invalid_input"),
    "locate without query": ({"task": "locate"}, 400, "invalid_input"),
    "negative max_tokens": ({"max_tokens": "-1"}, 422, "validation_error"),
    "max_tokens in words": ({"max_tokens": "many"}, 422, "validation_error"),
}


@pytest.mark.parametrize(("fields", "status", "code"), BAD_FIELDS.values(), ids=BAD_FIELDS.keys())
def test_a_bad_field_gets_its_code(
    client: httpx.Client, fields: dict[str, str], status: int, code: str
) -> None:
    assert_problem(post(client, encode(print_page()), **fields), status, code)


def test_a_single_pixel_is_a_blank_page(client: httpx.Client) -> None:
    answer = post(client, encode(Image.new("RGB", (1, 1), "white")), max_tokens="16")
    assert answer.status_code == 200


def test_no_file_is_named_as_the_missing_field(client: httpx.Client) -> None:
    answer = client.post(URL, files={"picture": ("page.png", b"x")})
    assert_problem(answer, 422, "validation_error")
    assert answer.json()["errors"][0]["field"] == "image"


def test_two_files_are_refused(client: httpx.Client) -> None:
    page = ("image", ("page.png", encode(print_page())))
    assert_problem(client.post(URL, files=[page, page]), 400, "invalid_input")


def test_a_body_that_is_no_form_is_told_so(client: httpx.Client) -> None:
    assert_problem(client.post(URL, json={"image": "..."}), 415, "unsupported_media_type")


def test_an_upload_beyond_the_limit_is_refused_unread(client: httpx.Client) -> None:
    assert_problem(post(client, bytes(60 * 1024 * 1024)), 413, "upload_too_large")


def test_an_upload_that_hides_its_length_is_refused_when_it_passes(client: httpx.Client) -> None:
    def endless() -> io.BytesIO:
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(60):
            yield bytes(1024 * 1024)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert_problem(client.post(URL, content=endless(), headers=headers), 413, "upload_too_large")


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """RFC 9457, with a detail that is a sentence."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert len(problem["detail"]) > 20
