"""The figures of a machine without a GPU, from one run of the real service with the small model."""

import concurrent.futures
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

from tests.pages import encode, print_page
from tests.service import Service, running_service

WORDS = ["the", "year", "of", "people", "and", "their", "way", "from", "day", "to", "night", "with"]
A4_AT_150_DPI = (1240, 1754)
NUM_PARALLEL = 8
HEALTH_PAUSE_SECONDS = 0.01


def print_a4(num_characters: int, seed: int) -> bytes:
    """An A4 page at 150 dpi with this much text, 11 points high."""
    rng = np.random.default_rng(seed)
    lines, line = [], ""
    while sum(map(len, lines)) + len(line) < num_characters:
        word = str(rng.choice(WORDS))
        if len(line) + len(word) > 80:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    page = print_page([*lines, line], size=A4_AT_150_DPI, font_size=23, margin=80)
    return encode(page)


def print_photo() -> bytes:
    """A JPEG of 40 megapixels."""
    page = print_page(size=(1240, 1612), font_size=30)
    return encode(page.resize((5547, 7211), Image.Resampling.BICUBIC), "JPEG", quality=90)


def read_page(service: Service, data: bytes, **fields: str) -> tuple[float, dict]:
    """Seconds and answer."""
    started = time.perf_counter()
    answer = httpx.post(
        f"{service.url}/api/ocr/image", files={"image": data}, data=fields, timeout=600
    )
    answer.raise_for_status()
    return time.perf_counter() - started, answer.json()


def report(name: str, value: str) -> None:
    print(f"{name:58} {value}", flush=True)


def measure_a4(service: Service) -> None:
    for seed in (0, 1):
        seconds, page = read_page(service, print_a4(1500, seed), task="free")
        report(
            f"A4 page of 1,500 characters, mode auto ({page['mode']})",
            f"{seconds:.2f} s, {page['usage']['completion_tokens']} tokens, "
            f"{len(page['text'])} characters",
        )


def measure_parallel(service: Service) -> None:
    pages = [encode(print_page([f"{WORDS[n]} " * 6] * 12, font_size=20)) for n in range(8)]
    fields = {"mode": "small", "task": "free", "max_tokens": "200"}
    started = time.perf_counter()
    for page in pages:
        read_page(service, page, **fields)
    one_by_one = time.perf_counter() - started
    with concurrent.futures.ThreadPoolExecutor(NUM_PARALLEL) as threads:
        started = time.perf_counter()
        list(threads.map(lambda page: read_page(service, page, **fields), pages))
        at_once = time.perf_counter() - started
    report(
        "8 pages one by one, and at once",
        f"{one_by_one:.2f} s, {at_once:.2f} s: {one_by_one / at_once:.2f} times the throughput",
    )


@contextmanager
def polled_health(service: Service) -> Iterator[list[float]]:
    """Milliseconds of each answer of /health during the block."""
    milliseconds: list[float] = []
    done = threading.Event()

    def poll() -> None:
        with httpx.Client() as client:
            while not done.is_set():
                started = time.perf_counter()
                client.get(f"{service.url}/health")
                milliseconds.append((time.perf_counter() - started) * 1000)
                time.sleep(HEALTH_PAUSE_SECONDS)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        yield milliseconds
    finally:
        done.set()
        poller.join()


def measure_health(service: Service) -> None:
    photo = print_photo()
    with polled_health(service) as milliseconds:
        seconds, page = read_page(service, photo, task="free")
    percentiles = statistics.quantiles(milliseconds, n=100)
    report(
        f"/health while a 40-megapixel JPEG is read ({seconds:.1f} s, {page['mode']})",
        f"p50 {percentiles[49]:.1f} ms, p99 {percentiles[98]:.1f} ms, max {max(milliseconds):.1f} "
        f"ms over {len(milliseconds)} calls",
    )


def measure_memory(service: Service) -> None:
    parent = psutil.Process(service.process.pid)
    processes = [parent, *parent.children(recursive=True)]
    sizes = [process.memory_info().rss / 2**20 for process in processes]
    each = " + ".join(f"{size:.0f}" for size in sizes)
    report("resident memory of all processes", f"{sum(sizes):.0f} MiB ({each})")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with running_service(Path(folder)) as service:
            service.wait_for_status("healthy")
            report("start to healthy", f"{time.perf_counter() - started:.1f} s")
            measure_a4(service)
            measure_parallel(service)
            measure_health(service)
            measure_memory(service)


if __name__ == "__main__":
    main()
