"""vLLM's metrics of several engines, put together."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from folio.engine.vllm_metrics import EngineRegistries
from tests.metrics import Samples


def registry(index: int, value: float) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("vllm:running", "Requests.", ["engine"], registry=registry).labels(index).set(value)
    Gauge("vllm:refused", "Told by no label.", registry=registry).set(value)
    return registry


def scrape(engines: EngineRegistries) -> str:
    everything = CollectorRegistry()
    everything.register(engines)
    return generate_latest(everything).decode()


def test_each_engine_has_its_samples_under_one_name() -> None:
    engines = EngineRegistries()
    engines.show(1, registry(1, 20))
    engines.show(0, registry(0, 10))
    text = scrape(engines)
    samples = Samples.parse(text)
    assert samples['vllm:running{engine="0"}'] == 10
    assert samples['vllm:running{engine="1"}'] == 20
    assert samples['vllm:refused{engine="1"}'] == 20
    assert text.count("# TYPE") == 2


def test_a_new_engine_takes_its_predecessors_place() -> None:
    engines = EngineRegistries()
    engines.show(0, registry(0, 10))
    engines.show(0, registry(0, 0))
    assert Samples.parse(scrape(engines))['vllm:running{engine="0"}'] == 0


def test_before_there_is_an_engine_there_is_nothing() -> None:
    assert scrape(EngineRegistries()) == ""
