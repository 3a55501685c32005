"""What goes through an engine is counted, by how it ends."""

from contextlib import aclosing
from types import SimpleNamespace

import numpy as np
from prometheus_client import REGISTRY

from folio.engine import GenerationRequest
from folio.engine.fake import FakeEngine
from folio.engine.gpus import GpuCollector
from folio.engine.measurement import measured, observe_stages
from folio.preprocessing.resolution import Mode, resolve


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def request() -> GenerationRequest:
    image = np.zeros((64, 64, 3), np.uint8)
    return GenerationRequest("page", image, "<image>\nFree OCR.", resolve(Mode.TINY, 64, 64))


async def test_tokens_and_the_first_one_are_counted() -> None:
    engine = FakeEngine(answer="four words in all")
    await engine.start()
    tokens = value("folio_tokens_total", type="completion")
    image_tokens = value("folio_tokens_total", type="image")
    firsts = value("folio_time_to_first_token_seconds_count")
    ends = value("folio_generations_total", end="stop")
    async for _ in measured(engine.generate(request())):
        pass
    assert value("folio_tokens_total", type="completion") == tokens + 4
    expected = image_tokens + request().resolution.num_image_tokens
    assert value("folio_tokens_total", type="image") == expected
    assert value("folio_time_to_first_token_seconds_count") == firsts + 1
    assert value("folio_generations_total", end="stop") == ends + 1


async def test_a_stream_that_is_closed_is_unfinished_and_its_engine_stops() -> None:
    engine = FakeEngine(answer="four words in all")
    await engine.start()
    unfinished = value("folio_generations_total", end="unfinished")
    async with aclosing(measured(engine.generate(request()))) as outputs:
        await anext(outputs)
    assert value("folio_generations_total", end="unfinished") == unfinished + 1
    assert engine.num_running == 0


def test_the_stages_in_the_engine_core_are_told_apart() -> None:
    before = [value("folio_stage_seconds_sum", stage=stage) for stage in STAGES]
    stats = SimpleNamespace(queued_ts=10.0, scheduled_ts=11.0, first_token_ts=13.0)
    stats.last_token_ts = 18.0
    observe_stages(stats)
    observe_stages(None)  # an engine that keeps no statistics
    after = [value("folio_stage_seconds_sum", stage=stage) for stage in STAGES]
    assert np.allclose(np.subtract(after, before), [1, 2, 5])


STAGES = ("queue", "prefill", "decode")


def test_cards_are_shown_and_one_that_does_not_answer_is_left_out() -> None:
    class NVMLError(Exception):
        pass

    def memory(index: int) -> SimpleNamespace:
        if index == 1:
            raise NVMLError("the card has fallen off the bus")
        return SimpleNamespace(used=10, total=80)

    nvml = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=memory,
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=50),
    )
    families = {family.name: family.samples for family in GpuCollector(nvml).collect()}
    assert [(sample.labels, sample.value) for sample in families["folio_gpu_use_ratio"]] == [
        ({"gpu": "0"}, 0.5)
    ]
    assert [sample.value for sample in families["folio_gpu_memory_bytes"]] == [10]
    assert [sample.value for sample in families["folio_gpu_memory_size_bytes"]] == [80]
