"""Several engines as one: who gets a page, and how they are together."""

import asyncio
import os
from contextlib import aclosing

import numpy as np
import pytest

from folio.engine.base import EngineState, GenerationRequest
from folio.engine.fake import FakeEngine
from folio.engine.replicas import ReplicatedEngine, share_out_devices, visible_devices
from folio.engine.supervised import SupervisedEngine
from folio.engine.supervisor import RestartPolicy
from folio.errors import EngineNotReadyError, SettingsConflictError
from folio.preprocessing.resolution import Mode, resolve
from tests.programs import eventually


def page(number: int = 0) -> GenerationRequest:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    return GenerationRequest(str(number), image, "<image>", resolve(Mode.TINY, 8, 8))


async def read(engine: ReplicatedEngine, number: int = 0) -> str:
    text = ""
    async with aclosing(engine.generate(page(number))) as outputs:
        async for output in outputs:
            text = output.text
    return text


async def started(*engines: FakeEngine) -> ReplicatedEngine:
    together = ReplicatedEngine(engines)
    await together.start()
    return together


async def test_pages_are_spread_evenly() -> None:
    fakes = [FakeEngine(answer="one two three", seconds_per_token=0.01) for _ in range(3)]
    engine = await started(*fakes)
    await asyncio.gather(*(read(engine, number) for number in range(9)))
    assert [len(fake.requests) for fake in fakes] == [3, 3, 3]


async def test_a_dead_one_gets_no_pages() -> None:
    dead, alive = FakeEngine(answer="dead"), FakeEngine(answer="alive")
    engine = await started(dead, alive)
    dead.die("gone")
    assert engine.status.state is EngineState.HEALTHY
    assert {await read(engine, number) for number in range(3)} == {"alive"}


async def test_all_dead_is_unhealthy_with_their_reasons() -> None:
    fakes = [FakeEngine(), FakeEngine()]
    engine = await started(*fakes)
    for number, fake in enumerate(fakes):
        fake.die(f"reason {number}.")
    assert engine.status.state is EngineState.UNHEALTHY
    reason = "0 of 2 engines are healthy. Engine 0: reason 0. Engine 1: reason 1."
    assert engine.status.reason == reason
    with pytest.raises(EngineNotReadyError):
        await read(engine)


async def test_one_that_is_lost_is_told_while_the_other_reads() -> None:
    lost, well = FakeEngine(), FakeEngine()
    engine = await started(lost, well)
    assert engine.status.reason is None
    lost.die("Its card fell off the bus.")
    assert engine.status.state is EngineState.HEALTHY
    assert engine.status.engines == (EngineState.UNHEALTHY, EngineState.HEALTHY)
    reason = "1 of 2 engines are healthy. Engine 0: Its card fell off the bus."
    assert engine.status.reason == reason


async def test_the_service_is_given_up_only_when_nobody_reads_any_more() -> None:
    policy = RestartPolicy(silence_seconds=1, max_failed_starts=1)
    broken = SettingsConflictError("There is no such card.")
    fakes = [FakeEngine(start_error=broken), FakeEngine()]
    engine = ReplicatedEngine([SupervisedEngine(lambda f=fake: f, policy) for fake in fakes])
    await engine.start()
    assert engine.status.state is EngineState.HEALTHY
    assert "There is no such card." in (engine.status.reason or "")
    assert not engine.status.is_given_up
    fakes[1].start_error = broken
    fakes[1].die("It died.")
    await eventually(lambda: engine.status.is_given_up)
    await engine.stop()


async def test_it_is_ready_when_the_first_one_is() -> None:
    slow, quick = FakeEngine(), FakeEngine(answer="quick")
    engine = ReplicatedEngine([slow, quick])
    assert engine.status.state is EngineState.STARTING
    await quick.start()
    assert engine.status.state is EngineState.HEALTHY
    assert await read(engine) == "quick"


async def test_closing_the_stream_aborts_in_the_engine_that_reads() -> None:
    fake = FakeEngine(answer="one two three", seconds_per_token=0.01)
    engine = await started(fake)
    stream = engine.generate(page(7))
    await anext(stream)
    assert engine.status.num_requests == 1
    await stream.aclose()
    assert fake.aborted == ["7"]


def test_each_replica_has_cards_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert share_out_devices(3, 1) == ["0", "1", "2"]
    assert share_out_devices(2, 2) == ["0,1", "2,3"]


def test_only_cards_that_we_may_use_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,5,7")
    assert share_out_devices(2, 2) == ["GPU-a,GPU-b", "5,7"]


@pytest.mark.parametrize("before", [None, "0,1"])
def test_a_starting_engine_sees_its_cards_and_nobody_else_does_after(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    with visible_devices("1"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before
