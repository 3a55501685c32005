"""How a page should travel from a worker to an engine: codecs, then pages per second over loopback.

python -m bench.wire
"""

import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import numpy as np
import psutil
import pymupdf
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 1240, 1754  # A4 at 150 dpi
WORDS = ["the", "year", "of", "people", "and", "their", "way", "from", "day", "to", "night", "with"]
TOKEN = "bench"
NUM_IN_FLIGHT = 16
NUM_PAGES = 600
GIGABIT_BYTES = 125e6
HEALTH_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Codec:
    """encode makes one piece of bytes; decode gives (height, width, 3) again."""

    name: str
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, tuple[int, ...]], Pixels]


def main() -> None:
    pages = make_pages()
    print(f"A page of {WIDTH} x {HEIGHT}: {WIDTH * HEIGHT * 3:,} bytes of pixels. Best of 5.\n")
    for name, page in pages.items():
        print_codecs(name, page)
    with tempfile.TemporaryDirectory() as folder:
        print_throughput(pages, Path(folder))


def make_pages() -> dict[str, Pixels]:
    """A page of text as the worker renders it, scans of it in grey and in colour, and a photo."""
    text = render_text()
    rng = np.random.default_rng(0)
    noise = rng.normal(-10, 4, text.shape)
    scan = np.clip(text + noise, 0, 255).astype(np.uint8)
    headed = text.copy()
    headed[60:160, 100:1140] = (30, 60, 140)
    return {
        "text": text,
        "text with a coloured head": headed,
        "grey scan": np.repeat(scan[..., :1], 3, axis=2),
        "colour scan": scan,
    }


def render_text() -> Pixels:
    document = pymupdf.open()
    page = document.new_page()
    rng = np.random.default_rng(0)
    for y in range(60, 790, 14):
        page.insert_text((50, y), " ".join(rng.choice(WORDS, 16)), fontsize=11)
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(WIDTH / 595, HEIGHT / 842))
    pixels = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width, 3)
    return pixels[:HEIGHT, :WIDTH].copy()


def make_codecs() -> list[Codec]:
    from folio.engine.pixels import PixelFormat, decode_pixels, encode_pixels

    def fold(page: Pixels) -> Pixels:
        red, green, blue = (page[..., channel] for channel in range(3))
        is_grey = (red == green).all() and (green == blue).all()
        return np.ascontiguousarray(red) if is_grey else page

    def unfold(data: Pixels, shape: tuple[int, ...]) -> Pixels:
        num_channels = 1 if data.size == shape[0] * shape[1] else 3
        return decode_pixels(PixelFormat(shape[1], shape[0], num_channels, None), data)

    def encode(page: Pixels) -> bytes:
        nonlocal pixel_format
        pixel_format, parts = encode_pixels(page)
        return b"".join(part.data for part in parts)

    def read(data: bytes) -> Pixels:
        return np.frombuffer(data, np.uint8)

    pixel_format: PixelFormat | None = None
    return [
        Codec("raw", lambda page: page.tobytes(), lambda data, shape: read(data).reshape(shape)),
        Codec(
            "zlib level 1",
            lambda page: zlib.compress(page.tobytes(), 1),
            lambda data, shape: read(zlib.decompress(data)).reshape(shape),
        ),
        Codec(
            "grey as one channel",
            lambda page: fold(page).tobytes(),
            lambda data, shape: unfold(read(data), shape),
        ),
        Codec(
            "grey, zlib level 1",
            lambda page: zlib.compress(fold(page).tobytes(), 1),
            lambda data, shape: unfold(read(zlib.decompress(data)), shape),
        ),
        Codec(
            "grey, no white (used)", encode, lambda data, _: decode_pixels(pixel_format, read(data))
        ),
    ]


def print_codecs(name: str, page: Pixels) -> None:
    print(f"{name:26}{'bytes':>11}{'encode ms':>11}{'decode ms':>11}", end="")
    print(f"{'all at 1 Gbit/s':>17}{'at 10 Gbit/s':>14}")
    for codec in make_codecs():
        data, encode_ms = best(lambda codec=codec: codec.encode(page))
        decoded, decode_ms = best(lambda codec=codec, data=data: codec.decode(data, page.shape))
        assert np.array_equal(decoded, page), f"{codec.name} loses pixels"
        totals = [
            encode_ms + decode_ms + 1000 * len(data) / (GIGABIT_BYTES * gigabits)
            for gigabits in (1, 10)
        ]
        print(f"  {codec.name:24}{len(data):11,}{encode_ms:11.1f}{decode_ms:11.1f}", end="")
        print(f"{totals[0]:14.1f} ms{totals[1]:11.1f} ms")
    print()


def best(call: Callable[[], object], repeats: int = 5) -> tuple:
    """What it gives, and its shortest time in milliseconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - started)
    return result, 1000 * min(seconds)


def print_throughput(pages: dict[str, Pixels], folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(port, str(folder)), daemon=True)
    server.start()
    print("One worker process, one service with an engine that answers at once, loopback, ", end="")
    print(f"{NUM_IN_FLIGHT} pages in flight, {psutil.cpu_count()} cores:")
    print(f"{'':34}{'pages/s':>9}{'worker ms':>11}{'service ms':>12}", end="")
    print(f"{'/health p50':>14}{'p99':>10}   (ms: CPU a page)")
    try:
        asyncio.run(measure_throughput(pages, port, psutil.Process(server.pid)))
    finally:
        server.terminate()
        server.join()


def serve(port: int, folder: str) -> None:
    import uvicorn

    from folio.api.app import create_app
    from folio.config import ServerSettings, Settings
    from folio.engine.fake import FakeEngine

    class ForgetfulEngine(FakeEngine):
        """Keeps no pages: it would keep their pixels."""

        async def generate(self, request: object):
            async with aclosing(super().generate(request)) as outputs:
                async for output in outputs:
                    yield output
            self.requests.clear()

    server = ServerSettings(data_dir=Path(folder), internal_api_token=TOKEN)
    app = create_app(Settings(server=server), ForgetfulEngine(answer="a few words of text"))
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


async def measure_throughput(pages: dict[str, Pixels], port: int, server: psutil.Process) -> None:
    url = f"http://127.0.0.1:{port}"
    for name, page in pages.items():
        await print_rate(name, page, url, server, transport=None)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        own = httpx.AsyncHTTPTransport(limits=limits)
        await print_rate(f"{name}, httpx's own", page, url, server, transport=own)


async def print_rate(
    name: str,
    page: Pixels,
    url: str,
    server: psutil.Process,
    *,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    from folio.engine import EngineState
    from folio.engine.remote import RemoteEngine

    engine = RemoteEngine([url], TOKEN, wait_seconds=60, transport=transport)
    await engine.start()
    while engine.status.state is not EngineState.HEALTHY:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await read_pages(engine, page, NUM_IN_FLIGHT)
    me, before = psutil.Process(), (cpu_seconds(psutil.Process()), cpu_seconds(server))
    with polled_health(url) as percentiles:
        started = time.perf_counter()
        await read_pages(engine, page, NUM_PAGES)
        seconds = time.perf_counter() - started
    worker, service = cpu_seconds(me) - before[0], cpu_seconds(server) - before[1]
    print(f"  {name:32}{NUM_PAGES / seconds:9.0f}", end="")
    print(f"{1000 * worker / NUM_PAGES:11.1f}{1000 * service / NUM_PAGES:12.1f}", end="")
    print(f"{percentiles[49]:11.1f} ms{percentiles[98]:7.1f} ms", flush=True)
    await engine.stop()


async def read_pages(engine: object, page: Pixels, num_pages: int) -> None:
    from folio.engine import GenerationRequest
    from folio.preprocessing.resolution import Mode, resolve

    resolution = resolve(Mode.BASE, page.shape[1], page.shape[0])
    numbers = iter(range(num_pages))

    async def read_some() -> None:
        for number in numbers:
            request = GenerationRequest(f"bench:{number}:first", page, "<image>\nOCR", resolution)
            async with aclosing(engine.generate(request)) as outputs:
                async for _ in outputs:
                    pass

    await asyncio.gather(*(read_some() for _ in range(NUM_IN_FLIGHT)))


@contextmanager
def polled_health(url: str) -> Iterator[list[float]]:
    """Percentiles of /health in milliseconds, known at the end. Asked by a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    poller = context.Process(target=poll_health, args=(url, theirs), daemon=True)
    poller.start()
    ours.recv()  # it has begun
    percentiles: list[float] = []
    yield percentiles
    ours.send(None)
    percentiles += statistics.quantiles(ours.recv(), n=100)
    poller.join()


def poll_health(url: str, connection: Connection) -> None:
    milliseconds: list[float] = []
    with httpx.Client() as client:
        client.get(f"{url}/health")
        connection.send(None)
        while not connection.poll(HEALTH_PAUSE_SECONDS):
            started = time.perf_counter()
            client.get(f"{url}/health")
            milliseconds.append(1000 * (time.perf_counter() - started))
    connection.send(milliseconds)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
