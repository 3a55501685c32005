"""Documents as tasks: the worker's speed beside bare PyMuPDF, its memory, and how soon it answers.

The engine answers at once, so all that is measured is Folio's own. Every figure is a ratio, or an
interval, of one run: `python -m bench.documents`, or only one: `python -m bench.documents speed`.
"""

import asyncio
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import psutil
import pymupdf
from PIL import Image

from folio.jobs.clock import now
from tests.integration.conftest import migrate_at
from tests.integration.jobs.house import House
from tests.postgres import running_postgres
from tests.redis import running_redis

DPI = 144
WORDS = ["the", "year", "of", "people", "and", "their", "way", "from", "day", "to", "night"]
NUM_PAGES = 1000
NUM_SUBMISSIONS = 20
AS_INSTALLED = {"LEASE_SECONDS": "30", "REAPER_INTERVAL_SECONDS": "10", "PAGES_PER_RANGE": "16"}
AT_ONCE = AS_INSTALLED | {
    "MAX_PAGES_IN_FLIGHT": "16",
    "RENDER_PROCESSES": "2",
    "FAKE_ANSWER": "# A page\n\nread at once",
}


def write_document(path: Path, num_pages: int) -> Path:
    """Pages as users have them: printed text, text with a picture and a table, and scans."""
    rng = np.random.default_rng(0)
    document = pymupdf.open()
    scan = _draw_scan(rng)
    for number in range(num_pages):
        page = document.new_page(width=595, height=842)
        if number % 3 == 2:
            # A comment of its own, or the file would hold the picture once for all pages.
            page.insert_image(page.rect, stream=scan + number.to_bytes(4, "big"))
            continue
        page.insert_textbox((60, 60, 535, 560), _write_words(rng, 430), fontsize=10.5)
        if number % 3 == 1:
            _draw_table(page)
    document.save(path, deflate=True)
    return path


def _write_words(rng: np.random.Generator, count: int) -> str:
    return " ".join(rng.choice(WORDS, count))


def _draw_table(page: pymupdf.Page) -> None:
    for row in range(12):
        for column in range(5):
            corner = pymupdf.Point(60 + 90 * column, 570 + 18 * row)
            page.draw_rect(pymupdf.Rect(*corner, corner.x + 90, corner.y + 18))
            page.insert_text((corner.x + 4, corner.y + 12), f"{row * column:,}", fontsize=8)


def _draw_scan(rng: np.random.Generator) -> bytes:
    document = pymupdf.open()
    page = document.new_page(width=595, height=842)
    page.insert_textbox((60, 60, 535, 780), _write_words(rng, 500), fontsize=10.5)
    pixmap = page.get_pixmap(dpi=200)
    pixels = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width, 3)
    noisy = np.clip(pixels - 10.0 + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


@dataclass(frozen=True)
class Run:
    """Seconds for a whole document, and seconds of CPU by process."""

    seconds: float
    cpu_seconds: dict[str, float]

    def describe(self) -> str:
        cpu = (
            f"{name} {1000 * used / NUM_PAGES:.1f} ms" for name, used in self.cpu_seconds.items()
        )
        return f"{NUM_PAGES / self.seconds:.1f} pages/s; CPU a page: {', '.join(cpu)}"


def render_bare(path: Path) -> Run:
    """All pages by PyMuPDF, in one process and without anything else."""
    matrix = pymupdf.Matrix(DPI / 72, DPI / 72)
    start, cpu_start = time.perf_counter(), time.process_time()
    with pymupdf.open(path) as document:
        for page in document:
            page.get_pixmap(matrix=matrix, colorspace=pymupdf.csRGB, alpha=False)
    cpu_seconds = time.process_time() - cpu_start
    return Run(time.perf_counter() - start, {"PyMuPDF": cpu_seconds})


@asynccontextmanager
async def running_house(settings: dict[str, str], *, embedded: bool) -> AsyncIterator[House]:
    """Service and one worker process on Postgres and Redis, or the service alone."""
    with tempfile.TemporaryDirectory(prefix="folio-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        database_url = redis_url = None
        if not embedded:
            database_url = stack.enter_context(running_postgres()) + "/postgres"
            redis_url = stack.enter_context(running_redis(folder)).url
            await migrate_at(database_url)
        house = House(folder, database_url=database_url, redis_url=redis_url, settings=settings)
        try:
            await house.start_service()
            if not embedded:
                house.start_worker()
                await house.wait_for_workers()
            yield house
        finally:
            await house.close()


async def measure_speed(path: Path, *, embedded: bool, mode: str) -> Run:
    """From the queue to the finished ZIP: how long the upload takes is not the worker's."""
    async with running_house(AT_ONCE, embedded=embedded) as house:
        task_id = await house.submit(path, options={"mode": mode}, enqueue=False)
        before = _measure_cpu(house)
        start = now()
        await house.enqueue(task_id)
        task = await house.wait_for_end(task_id, seconds=600, pause_seconds=1)
        assert task.finished_at is not None, "it has ended"
        seconds = (task.finished_at - start).total_seconds()
        after = _measure_cpu(house)
        return Run(seconds, {name: after[name] - before.get(name, 0) for name in after})


def _measure_cpu(house: House) -> dict[str, float]:
    used: dict[str, float] = {}
    for name, program in (("service", house.service), *(("worker", it) for it in house.workers)):
        process = psutil.Process(program.pid)
        for member in (process, *process.children(recursive=True)):
            is_child = "render_child" in " ".join(member.cmdline())
            kind = "rendering" if is_child else name
            times = member.cpu_times()
            used[kind] = used.get(kind, 0) + times.user + times.system
    return used


async def measure_memory(path: Path) -> float:
    """The most that a worker and its children held at once, in MB; shared pages count once."""
    async with running_house(AT_ONCE, embedded=False) as house:
        worker = psutil.Process(house.workers[0].pid)
        task_id = await house.submit(path)
        peak = 0.0
        while (await house.task(task_id)).finished_at is None:
            peak = max(peak, await asyncio.to_thread(_measure_pss, worker))
            await asyncio.sleep(0.1)
        return peak / 1e6


def _measure_pss(process: psutil.Process) -> float:
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total


async def measure_start(path: Path, *, embedded: bool) -> list[float]:
    """Milliseconds from each submission to the start of the first page, on an idle system."""
    async with running_house(AT_ONCE, embedded=embedded) as house:
        waits = []
        for _ in range(NUM_SUBMISSIONS):
            task_id = await house.submit(path)
            task = await house.wait_for_end(task_id)
            (first, *_) = await house.pages(task_id)
            assert first.started_at is not None, "the task has ended"
            waits.append((first.started_at - task.queued_at).total_seconds() * 1000)
            await asyncio.sleep(0.2)
        return waits


async def measure_status(path: Path, *, embedded: bool) -> dict[str, list[float]]:
    """Milliseconds of each call while the document runs: of status calls until their answer, of
    event calls until their first event; and by how much the bench itself is late, which is in
    both."""
    times: dict[str, list[float]] = {"status": [], "event": [], "timer": []}
    async with (
        running_house(AT_ONCE, embedded=embedded) as house,
        httpx.AsyncClient(base_url=house.url) as client,
        measuring_lateness(times["timer"]),
    ):
        _wait_for_no_core()
        task_id = await house.submit(path)
        while True:
            start = time.perf_counter()
            answer = await client.get(f"/api/tasks/{task_id}")
            times["status"].append((time.perf_counter() - start) * 1000)
            if answer.json()["status"] not in ("queued", "running"):
                return times
            start = time.perf_counter()
            await _receive_event(client, task_id)
            times["event"].append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(0.02)


def _wait_for_no_core() -> None:
    """A client is on a machine of its own: let it not stand in line for a core of the service's.

    Only root may say so. For anybody else, what the "timer" shows is in the other figures.
    """
    with suppress(PermissionError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(1))


@asynccontextmanager
async def measuring_lateness(milliseconds: list[float]) -> AsyncIterator[None]:
    async def measure() -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            milliseconds.append((time.perf_counter() - due) * 1000)

    measuring = asyncio.create_task(measure())
    try:
        yield
    finally:
        measuring.cancel()


async def _receive_event(client: httpx.AsyncClient, task_id: UUID) -> None:
    async with client.stream("GET", f"/api/tasks/{task_id}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                return


async def print_speed(folder: Path) -> None:
    path = write_document(folder / "speed.pdf", NUM_PAGES)
    for embedded, mode in ((False, "auto"), (False, "base"), (True, "auto")):
        bare = render_bare(path)  # anew: what else runs on the machine changes
        run = await measure_speed(path, embedded=embedded, mode=mode)
        print(f"bare PyMuPDF: {bare.describe()}")
        print(
            f"{_parts(embedded)}, mode {mode}: {bare.seconds / run.seconds:.2f} of bare PyMuPDF; "
            f"{run.describe()}"
        )


async def print_memory(folder: Path) -> None:
    short = await measure_memory(write_document(folder / "short.pdf", 100))
    long = await measure_memory(write_document(folder / "long.pdf", 2000))
    print(f"worker's peak: {short:.0f} MB on 100 pages, {long:.0f} MB on 2,000: {long / short:.2f}")


async def print_start(folder: Path) -> None:
    path = write_document(folder / "start.pdf", 3)
    for embedded in (False, True):
        waits = await measure_start(path, embedded=embedded)
        print(
            f"{_parts(embedded)}: the first page starts {statistics.median(waits):.0f} ms after "
            f"the submission (median of {len(waits)}; at most {max(waits):.0f} ms)"
        )


async def print_status(folder: Path) -> None:
    path = write_document(folder / "status.pdf", NUM_PAGES)
    for embedded in (False, True):
        for call, times in (await measure_status(path, embedded=embedded)).items():
            print(
                f"{_parts(embedded)}: {len(times)} {call} calls, median "
                f"{statistics.median(times):.1f} ms, 99th percentile "
                f"{sorted(times)[int(len(times) * 0.99)]:.1f} ms"
            )


def _parts(embedded: bool) -> str:
    return "embedded parts" if embedded else "Postgres and Redis"


FIGURES: dict[str, Callable[[Path], Coroutine[Any, Any, None]]] = {
    "speed": print_speed,
    "memory": print_memory,
    "start": print_start,
    "status": print_status,
}


def main(names: list[str]) -> None:
    """The figures of these names, or all."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or FIGURES:
            asyncio.run(FIGURES[name](Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
