"""VllmEngine by itself: the stream, the n-gram rule, loops, and requests that are given up."""

import asyncio
import gc
import multiprocessing
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
import zmq
from prometheus_client import generate_latest

from folio.config import EngineSettings
from folio.engine import EngineState, GenerationOutput, GenerationRequest, NoRepeatNgram
from folio.engine.vllm_direct import VllmEngine
from folio.errors import InvalidInputError
from folio.preprocessing.resolution import Mode, resolve
from tests.metrics import Samples
from tests.pages import TEXT, print_page
from tests.programs import eventually

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    # vLLM and what it imports warn of many things while they load.
    pytest.mark.filterwarnings("default"),
]

ECHO = ["ha " * 28] * 56
ECHO_SIZE = (1240, 1754)
REPEATED_WITHIN_TOKENS = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[VllmEngine]:
    engine = VllmEngine(EngineSettings())
    await engine.start()
    assert engine.status.state is EngineState.HEALTHY, engine.status.reason
    yield engine
    await engine.stop()


def request_for(
    lines: list[str], *, rule: NoRepeatNgram | None = None, prompt: str = "<image>\nFree OCR."
) -> GenerationRequest:
    page = np.asarray(print_page(lines, font_size=24))
    resolution = resolve(Mode.SMALL, page.shape[1], page.shape[0])
    return GenerationRequest(uuid4().hex, page, prompt, resolution, no_repeat_ngram=rule)


def echo_request(
    rule: NoRepeatNgram | None = None, max_tokens: int | None = None
) -> GenerationRequest:
    """A page that says one word fifteen hundred times."""
    page = np.asarray(print_page(ECHO, size=ECHO_SIZE, font_size=23))
    resolution = resolve(Mode.GUNDAM, *ECHO_SIZE)
    prompt = "<image>\nFree OCR."
    return GenerationRequest(uuid4().hex, page, prompt, resolution, max_tokens, rule)


async def read(engine: VllmEngine, request: GenerationRequest) -> list[GenerationOutput]:
    return [output async for output in engine.generate(request)]


async def test_the_text_streams_in_and_ends_with_a_reason(engine: VllmEngine) -> None:
    outputs = await read(engine, request_for(list(TEXT)))
    assert len(outputs) > 2
    for earlier, later in pairwise(outputs):
        assert later.text.startswith(earlier.text)
    assert [output.finish_reason for output in outputs[:-1]] == [None] * (len(outputs) - 1)
    assert outputs[-1].finish_reason == "stop"
    assert outputs[-1].text.splitlines() == list(TEXT)


async def test_a_page_that_repeats_itself_is_stopped_early(engine: VllmEngine) -> None:
    last = (await read(engine, echo_request()))[-1]
    assert last.finish_reason == "repetition"
    assert last.completion_tokens < REPEATED_WITHIN_TOKENS
    assert last.text.count("ha ha ha") > 50


async def test_the_ngram_rule_forbids_what_was_written(engine: VllmEngine) -> None:
    rule = NoRepeatNgram(ngram_size=12, window_size=90)
    last = (await read(engine, echo_request(rule, max_tokens=REPEATED_WITHIN_TOKENS)))[-1]
    # Far more than a window: without the rule it repeats itself by then, see above.
    assert last.completion_tokens > REPEATED_WITHIN_TOKENS // 2
    assert "ha " * 40 not in last.text


async def test_a_stream_that_is_closed_leaves_nothing_running(engine: VllmEngine) -> None:
    async with aclosing(engine.generate(echo_request())) as outputs:
        await anext(outputs)
        assert engine.status.num_requests == 1
    await asyncio.sleep(0.2)
    assert engine.status.num_requests == 0
    assert (await read(engine, request_for(list(TEXT))))[-1].finish_reason == "stop"


async def test_a_prompt_that_leaves_no_room_is_refused(engine: VllmEngine) -> None:
    prompt = "<image>\n" + "words and more " * 3000
    with pytest.raises(InvalidInputError, match="horten"):
        await read(engine, request_for(list(TEXT), prompt=prompt))
    assert engine.status.state is EngineState.HEALTHY


async def test_an_engine_that_is_stopped_at_once_starts_no_core(engine: VllmEngine) -> None:
    """The thread that loads was about to, and would wait for it to load the model. An engine beside
    it goes on."""
    others = set(multiprocessing.active_children())
    stopped = VllmEngine(EngineSettings(), index=3)
    starting = asyncio.create_task(stopped.start())
    await asyncio.sleep(0.01)
    await stopped.stop()
    await starting
    assert "did not load" in (stopped.status.reason or "")
    assert set(multiprocessing.active_children()) == others
    assert (await read(engine, request_for(list(TEXT))))[-1].finish_reason == "stop"


@pytest.mark.alone
async def test_a_stopped_engine_is_freed_and_what_was_imported_is_not_looked_through() -> None:
    """Else nobody is answered while the garbage collector looks through all of vLLM and torch."""
    stopped = VllmEngine(EngineSettings(), index=4)
    await stopped.start()
    assert stopped._loaded is not None
    llm = weakref.ref(stopped._loaded.llm)
    engine_id, import_id = id(stopped._loaded.llm), id(sys.modules["vllm"])
    looked_through = {id(each) for each in gc.get_objects()}
    await stopped.stop()
    assert llm() is None
    assert engine_id in looked_through
    assert import_id not in looked_through


@dataclass(frozen=True)
class WarmEngine:
    """A second engine, beside the first, and what the metrics were before and after its start."""

    engine: VllmEngine
    before: Samples
    started: Samples


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def warm(engine: VllmEngine) -> AsyncIterator[WarmEngine]:
    """On a GPU all engines warm up; here one that is told to, with two pages at once."""
    before = metrics()
    settings = EngineSettings(max_num_seqs=1, max_queued_requests=1)
    warm = VllmEngine(settings, index=1, warms_up=True)
    await warm.start()
    assert warm.status.state is EngineState.HEALTHY, warm.status.reason
    yield WarmEngine(warm, before, metrics())
    await warm.stop()


def metrics() -> Samples:
    return Samples.parse(generate_latest().decode())


async def test_the_pages_of_the_warm_up_are_in_no_metric(warm: WarmEngine) -> None:
    """An operator's numbers begin at 0."""
    before, started = warm.before, warm.started
    await read(warm.engine, request_for(TEXT))
    after = metrics()
    own = {name for name in after if name.startswith("folio_")}
    assert {name: started[name] for name in own} == {name: before[name] for name in own}
    labels = 'engine="1",model_name="folio-nano"'
    for name in (
        "prompt_tokens_total",
        "generation_tokens_total",
        "e2e_request_latency_seconds_count",
    ):
        assert started[f"vllm:{name}{{{labels}}}"] == 0
        assert after[f"vllm:{name}{{{labels}}}"] > 0
    stage = 'folio_stage_seconds_count{stage="decode"}'
    assert after[stage] == started[stage] + 1


async def test_engines_side_by_side_have_vllms_metrics_each(
    engine: VllmEngine, warm: WarmEngine
) -> None:
    for each in (engine, warm.engine):
        await read(each, request_for(TEXT))
    samples = metrics()
    for index in (0, 1):
        labels = f'engine="{index}",model_name="folio-nano"'
        assert samples[f"vllm:generation_tokens_total{{{labels}}}"] > 0


async def test_the_end_does_not_wait_for_a_socket_of_vllms_that_is_still_open(
    warm: WarmEngine,
) -> None:
    """ZeroMQ's context ends with its last socket. Left to the garbage collector, that may be the
    event loop's to wait for, as the engine's end once did for ever when a core had been killed.

    The last test of this engine, which it ends."""
    assert warm.engine._loaded is not None
    context = warm.engine._loaded.llm.engine_core.resources.ctx
    with context.socket(zmq.PULL):
        await asyncio.wait_for(warm.engine.stop(), 20)
        assert not context.closed
    await eventually(lambda: context.closed)
