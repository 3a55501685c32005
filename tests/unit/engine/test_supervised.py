"""An engine that dies or hangs is replaced, and the pages that ran are read by the next one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from folio.engine import EngineState, GenerationOutput, GenerationRequest
from folio.engine.fake import FakeEngine
from folio.engine.supervised import MAX_LOSSES, SupervisedEngine
from folio.engine.supervisor import RestartPolicy
from folio.errors import (
    EngineFailedError,
    EngineNotReadyError,
    EngineOverloadedError,
    ModelDownloadError,
    SettingsConflictError,
)
from folio.preprocessing.resolution import Mode, resolve
from tests.programs import eventually

pytestmark = pytest.mark.alone

ANSWER = "five words on the page"
QUICK = RestartPolicy(
    silence_seconds=0.3, max_failed_starts=3, first_pause_seconds=0.02, longest_pause_seconds=0.05
)


class Engines:
    """Every engine that was made, and how the next ones are to be."""

    def __init__(self) -> None:
        self.made: list[FakeEngine] = []
        self.make: Callable[[], FakeEngine] = lambda: FakeEngine(
            answer=ANSWER, seconds_per_token=0.02
        )

    def __call__(self) -> FakeEngine:
        self.made.append(self.make())
        return self.made[-1]

    @property
    def present(self) -> FakeEngine:
        return self.made[-1]


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
async def engine(engines: Engines) -> AsyncIterator[SupervisedEngine]:
    engine = SupervisedEngine(engines, QUICK)
    await engine.start()
    yield engine
    await engine.stop()


def request(name: str = "page") -> GenerationRequest:
    image = np.zeros((64, 64, 3), np.uint8)
    return GenerationRequest(name, image, "<image>\nFree OCR.", resolve(Mode.TINY, 64, 64))


async def read(engine: SupervisedEngine, name: str = "page") -> list[GenerationOutput]:
    return [output async for output in engine.generate(request(name))]


async def test_a_page_that_runs_when_the_engine_dies_is_read_by_the_next_one(
    engine: SupervisedEngine, engines: Engines
) -> None:
    pages = [asyncio.create_task(read(engine, str(number))) for number in range(5)]
    await eventually(lambda: engines.present.num_running == 5)
    engines.present.die("It was killed.")
    assert engine.status.state is EngineState.UNHEALTHY
    for outputs in await asyncio.gather(*pages):
        assert (outputs[-1].text, outputs[-1].finish_reason) == (ANSWER, "stop")
    assert len(engines.made) == 2
    assert engine.status.state is EngineState.HEALTHY
    assert engine.status.num_requests == 0


async def test_the_text_becomes_shorter_at_most_once_for_each_loss(
    engine: SupervisedEngine, engines: Engines
) -> None:
    lengths = []
    async for output in engine.generate(request()):
        lengths.append(len(output.text))
        if len(lengths) == 3:
            engines.present.die("It was killed.")
    assert sum(later < earlier for earlier, later in pairwise(lengths)) == 1


async def test_a_page_that_comes_while_the_engine_is_restarted_waits_for_it(
    engine: SupervisedEngine, engines: Engines
) -> None:
    engines.present.die("It was killed.")
    assert (await read(engine))[-1].text == ANSWER


async def test_a_hung_engine_is_told_and_replaced(
    engine: SupervisedEngine, engines: Engines
) -> None:
    page = asyncio.create_task(read(engine))
    await engines.present.was_asked.wait()
    engines.present.hang()
    await eventually(lambda: engine.status.state is EngineState.UNHEALTHY)
    assert "hangs" in (engine.status.reason or "")
    assert engine.status.reason_code == "engine_restarts"
    assert (await page)[-1].text == ANSWER
    assert len(engines.made) == 2


async def test_an_engine_that_is_slow_but_answers_is_let_be(
    engine: SupervisedEngine, engines: Engines
) -> None:
    engines.present.seconds_per_token = QUICK.silence_seconds * 1.5
    assert (await read(engine))[-1].text == ANSWER
    assert len(engines.made) == 1


async def test_the_next_engine_is_tried_at_once_then_with_growing_pauses() -> None:
    policy = RestartPolicy(silence_seconds=1, max_failed_starts=9)
    pauses = [policy.pause_seconds(num_failures) for num_failures in range(9)]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]


async def test_starts_that_fail_are_given_up_after_a_bounded_number(
    engine: SupervisedEngine, engines: Engines
) -> None:
    engines.make = lambda: FakeEngine(start_error=MemoryError("no memory"))
    page = asyncio.create_task(read(engine))
    await engines.present.was_asked.wait()
    engines.present.die("It was killed.")
    with pytest.raises(EngineNotReadyError, match="given up"):
        await page
    assert engine.status.is_given_up
    assert "no memory" in (engine.status.reason or "")
    # The one that was killed came to nothing as well: it had read no page.
    assert len(engines.made) == QUICK.max_failed_starts


async def test_a_set_up_that_cannot_work_is_given_up_at_once(engines: Engines) -> None:
    engines.make = lambda: FakeEngine(start_error=SettingsConflictError("Set DTYPE to auto."))
    engine = SupervisedEngine(engines, QUICK)
    await engine.start()
    assert engine.status.is_given_up
    reason = (
        "Set DTYPE to auto. Folio does not try again by itself: mend it, then start Folio anew."
    )
    assert engine.status.reason == reason
    assert engine.status.reason_code == "engine_given_up"
    with pytest.raises(EngineNotReadyError, match="mend it"):
        await read(engine)
    assert len(engines.made) == 1


async def test_a_hub_that_is_away_may_be_back(engines: Engines) -> None:
    engines.make = lambda: FakeEngine(start_error=ModelDownloadError("The hub is away."))
    engine = SupervisedEngine(engines, QUICK)
    await engine.start()
    engines.make = lambda: FakeEngine(answer=ANSWER)
    await eventually(lambda: engine.status.state is EngineState.HEALTHY)
    await engine.stop()


async def test_a_set_up_that_worked_once_is_tried_again(
    engine: SupervisedEngine, engines: Engines
) -> None:
    full = SettingsConflictError("Another program holds the card's memory.")
    engines.make = lambda: FakeEngine(start_error=full)
    engines.present.die("It was killed.")
    await eventually(lambda: len(engines.made) == 2)
    engines.make = lambda: FakeEngine(answer=ANSWER)
    await eventually(lambda: engine.status.state is EngineState.HEALTHY)


async def test_an_engine_that_reads_a_page_before_it_dies_counts_as_well(
    engine: SupervisedEngine, engines: Engines
) -> None:
    for _ in range(2 * QUICK.max_failed_starts):
        await read(engine)
        engines.present.die("It was killed.")
    assert (await read(engine))[-1].text == ANSWER


async def test_a_first_load_that_fails_is_told_and_tried_again(engines: Engines) -> None:
    good = engines.make
    engines.make = lambda: FakeEngine(start_error=OSError("no such folder"))
    engine = SupervisedEngine(engines, QUICK)
    await engine.start()
    assert engine.status.state is EngineState.UNHEALTHY
    assert "no such folder" in (engine.status.reason or "")
    with pytest.raises(EngineNotReadyError, match="no such folder"):
        await read(engine)
    engines.make = good
    await eventually(lambda: engine.status.state is EngineState.HEALTHY)
    assert (await read(engine))[-1].text == ANSWER
    await engine.stop()


async def test_a_page_that_ends_every_engine_is_given_up_and_takes_no_other_along(
    engines: Engines,
) -> None:
    class Mortal(FakeEngine):
        async def _stream(self, request: GenerationRequest):
            if request.request_id == "poison":
                await asyncio.sleep(0.05)
                self.die("It was killed by this page.")
            async for output in super()._stream(request):
                yield output

    engines.make = lambda: Mortal(answer=ANSWER, seconds_per_token=0.02)
    engine = SupervisedEngine(engines, replace(QUICK, max_failed_starts=9))
    await engine.start()
    pages = [asyncio.create_task(read(engine, name)) for name in ("a", "poison", "b", "c")]
    answers = await asyncio.gather(*pages, return_exceptions=True)
    assert isinstance(answers[1], EngineFailedError)
    for answer in (answers[0], *answers[2:]):
        assert not isinstance(answer, BaseException)
        assert answer[-1].text == ANSWER
    assert len(engines.made) >= MAX_LOSSES
    assert (await read(engine))[-1].text == ANSWER
    await engine.stop()


async def test_a_full_queue_refuses_a_new_page_but_not_one_that_was_lost(
    engine: SupervisedEngine, engines: Engines
) -> None:
    class Full(FakeEngine):
        num_refused = 0

        async def generate(self, request: GenerationRequest):
            if self.num_refused < 1:
                self.num_refused += 1
                raise EngineOverloadedError("full", retry_after_seconds=0)
            async for output in super().generate(request):
                yield output

    page = asyncio.create_task(read(engine))
    await engines.present.was_asked.wait()
    engines.make = lambda: Full(answer=ANSWER)
    engines.present.die("It was killed.")
    assert (await page)[-1].text == ANSWER
    assert isinstance(engines.present, Full)
    engines.present.num_refused = 0
    with pytest.raises(EngineOverloadedError):
        await read(engine)


async def test_stop_ends_what_waits_and_starts_no_other(
    engine: SupervisedEngine, engines: Engines
) -> None:
    page = asyncio.create_task(read(engine))
    await engines.present.was_asked.wait()
    engines.present.hang()
    await engine.stop()
    with pytest.raises(EngineNotReadyError):
        await page
    assert len(engines.made) == 1
    assert engine.status.state is EngineState.UNHEALTHY
    assert not engine.status.is_given_up


async def test_stop_during_the_first_load_returns_at_once(engines: Engines) -> None:
    engines.make = lambda: FakeEngine(start_seconds=60)
    engine = SupervisedEngine(engines, QUICK)
    loading = asyncio.create_task(engine.start())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await engine.stop()
        await loading
