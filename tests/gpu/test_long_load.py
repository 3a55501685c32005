"""2,000 requests of mixed modes with clients that leave: each answered or aborted, nothing kept."""

import asyncio
import random
from contextlib import aclosing, suppress
from dataclasses import dataclass

import numpy as np
import psutil
import pytest

from bench.speed.model_folder import write_full_size_model
from folio.config import EngineSettings
from folio.engine.base import EngineState, GenerationRequest
from folio.engine.vllm_direct import VllmEngine
from folio.preprocessing.resolution import Mode, resolve

pytestmark = pytest.mark.gpu

NUM_REQUESTS = 2000
NUM_AT_ONCE = 256
SIZES = [(1240, 1754), (900, 300), (640, 640), (2480, 3508), (1600, 1200)]
MAX_GROWTH = 1.05  # of memory, from the middle of the load to its end


@dataclass
class Tally:
    """How requests ended, and the memory of all our processes at times."""

    answered: int = 0
    left: int = 0
    memory_bytes: tuple[int, ...] = ()


def make_request(number: int, rng: random.Random, pages: list[np.ndarray]) -> GenerationRequest:
    page = rng.choice(pages)
    mode = rng.choice(list(Mode))
    return GenerationRequest(
        request_id=f"load-{number}",
        image=page,
        prompt="<image>\nFree OCR.",
        resolution=resolve(mode, page.shape[1], page.shape[0]),
        max_tokens=rng.randint(1, 64),
    )


async def read(engine: VllmEngine, request: GenerationRequest) -> None:
    last = None
    async with aclosing(engine.generate(request)) as outputs:
        async for output in outputs:
            last = output
    assert last is not None
    assert last.finish_reason is not None
    assert last.image_tokens == request.resolution.num_image_tokens


def memory_bytes() -> int:
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(process.memory_info().rss for process in processes)


async def run_load(engine: VllmEngine) -> Tally:
    rng = random.Random(11)
    shades = np.random.default_rng(11)
    pages = [shades.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in SIZES]
    places = asyncio.Semaphore(NUM_AT_ONCE)
    tally = Tally()

    async def send(number: int) -> None:
        request = make_request(number, rng, pages)
        patience = rng.uniform(0, 5) if number % 3 == 0 else None
        async with places:
            try:
                async with asyncio.timeout(patience):
                    await read(engine, request)
                tally.answered += 1
            except TimeoutError:
                tally.left += 1
        if number % (NUM_REQUESTS // 8) == 0:
            tally.memory_bytes += (memory_bytes(),)

    async with asyncio.TaskGroup() as group:
        for number in range(NUM_REQUESTS):
            group.create_task(send(number))
    return tally


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("full-size") / "model"
    write_full_size_model(folder)
    return str(folder)


def test_nothing_is_lost_and_nothing_stays(model: str) -> None:
    asyncio.run(load_and_look(model))


async def load_and_look(model: str) -> None:
    engine = VllmEngine(EngineSettings(model_path=model, load_format="dummy", dtype="bfloat16"))
    await engine.start()
    try:
        assert engine.status.state is EngineState.HEALTHY, engine.status.reason
        tally = await run_load(engine)
        assert tally.answered + tally.left == NUM_REQUESTS
        assert tally.left > NUM_REQUESTS // 20, "too few clients left for this to mean anything"
        await assert_empty(engine)
        assert (
            tally.memory_bytes[-1] < MAX_GROWTH * tally.memory_bytes[len(tally.memory_bytes) // 2]
        )
    finally:
        with suppress(asyncio.TimeoutError):
            await engine.stop()


async def assert_empty(engine: VllmEngine) -> None:
    """A cache from which everything can be dropped at once is used by nobody."""
    assert engine.status.num_requests == 0
    loaded = engine._loaded
    assert loaded is not None
    for _ in range(300):
        if await loaded.llm.reset_prefix_cache():
            break
        await asyncio.sleep(0.1)  # aborts are on their way
    else:
        pytest.fail("blocks of the KV cache are still in use")
    await loaded.llm.reset_encoder_cache()
    await read(
        engine, make_request(NUM_REQUESTS, random.Random(0), [np.zeros((64, 64, 3), np.uint8)])
    )
