import asyncio

import numpy as np
import pytest

from folio.engine.base import GenerationRequest
from folio.engine.fake import FakeEngine
from folio.engine.patient import PatientEngine
from folio.errors import EngineNotReadyError, EngineOverloadedError
from folio.preprocessing.resolution import Mode, resolve

REQUEST = GenerationRequest(
    "1", np.zeros((8, 8, 3), np.uint8), "<image>\nread", resolve(Mode.TINY, 8, 8)
)


async def read(engine: PatientEngine) -> str:
    outputs = [output async for output in engine.generate(REQUEST)]
    return outputs[-1].text


async def test_the_start_of_the_engine_is_waited_for() -> None:
    engine = FakeEngine(answer="text", start_seconds=0.2)
    starting = asyncio.create_task(engine.start())

    assert await read(PatientEngine(engine, wait_seconds=5)) == "text"
    await starting


async def test_a_full_queue_is_waited_for() -> None:
    engine = FakeEngine(answer="text")
    await engine.start()
    engine.error = EngineOverloadedError("Full.", retry_after_seconds=0)
    reading = asyncio.create_task(read(PatientEngine(engine, wait_seconds=5)))
    await engine.was_asked.wait()

    engine.error = None

    assert await reading == "text"


async def test_an_engine_that_stays_dead_is_given_up() -> None:
    engine = FakeEngine(answer="text")
    engine.die("The core was killed.")

    with pytest.raises(EngineNotReadyError, match="The core was killed"):
        await read(PatientEngine(engine, wait_seconds=0.2))
