"""What the no-repeat n-gram rule costs: decode steps with and without it, in one run.

python -m bench.ngram                 # 64 requests, the small model, without a GPU
python -m bench.ngram --full-size     # 256 requests and 1, on a GPU, random weights

Without a GPU, steps differ by a tenth from run to run, which hides a rule of a hundredth. There the
time that the steps spend in the rule itself is printed too; on a GPU it runs beside the host.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from folio.engine.vllm_arguments import logits_processors, prepare_environment
from tests.plugin import plugin_paths

NUM_TOKENS = 150
NUM_REPEATS = 9
RULE = {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [5]}
# The first steps prefill, the last ones have fewer requests.
WARMUP_STEPS, LAST_STEPS = 20, 2
ON_CPU: dict[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "max_num_seqs": 64,
    "max_num_batched_tokens": 4096,
    "kv_cache_memory_bytes": 2**30,  # else vLLM asks for most of the machine's memory
}
ON_GPU: dict[str, Any] = {
    "dtype": "bfloat16",
    "load_format": "dummy",
    "max_num_seqs": 256,
    "max_num_batched_tokens": 16384,
    "gpu_memory_utilization": 0.8,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full-size", action="store_true")
    full_size = parser.parse_args().full_size
    os.environ |= {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    prepare_environment()
    with tempfile.TemporaryDirectory() as name:
        paths = [*plugin_paths(Path(name)), os.environ.get("PYTHONPATH")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        engine, prompt = make_engine(Path(name), full_size=full_size)
        for number in (256, 1) if full_size else (64,):
            ratios = [compare(engine, prompt, number, repeat) for repeat in range(NUM_REPEATS)]
            print(f"{number} requests: {statistics.median(ratios):.3f} in the median", flush=True)
        engine.engine_core.shutdown()
    # An engine inside this process leaves threads behind that would keep it from ending.
    os._exit(0)


def compare(engine: Any, prompt: Any, num_requests: int, repeat: int) -> float:
    """Prints both steps -> the one with the rule as a multiple of the one without."""
    # By turns first and last: a machine that grows slower or faster favours neither.
    rules = (None, RULE) if repeat % 2 == 0 else (RULE, None)
    steps = [step_seconds(engine, prompt, num_requests, rule) for rule in rules]
    (without, _), (with_rule, in_rule) = steps if repeat % 2 == 0 else reversed(steps)
    itself = f", {1000 * in_rule:.2f} ms of it in the rule itself" if in_rule else ""
    print(
        f"{num_requests} requests, run {repeat}: step {1000 * without:.2f} ms without the rule, "
        f"{1000 * with_rule:.2f} ms with it: {with_rule / without:.3f}{itself}",
        flush=True,
    )
    return with_rule / without


class Stopwatch:
    """The seconds spent in functions that were given to it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started

        return call


IN_RULE = Stopwatch()


def time_the_rule() -> None:
    """Of the processor that this process gives to vLLM, whose engine runs inside it."""
    from folio.model.logits import NoRepeatNgramLogitsProcessor as Processor

    Processor.apply = IN_RULE.timed(Processor.apply)
    Processor.update_state = IN_RULE.timed(Processor.update_state)


def make_engine(folder: Path, *, full_size: bool) -> tuple[Any, Any]:
    import numpy as np
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

    from bench.speed.model_folder import write_full_size_model
    from folio.config import embedded_model_path
    from folio.model.inputs import build_engine_input, choose_pixels
    from folio.model.register import register
    from folio.preprocessing.resolution import Mode, resolve

    register()
    if not full_size:
        time_the_rule()
    model = embedded_model_path()
    if full_size:
        model = folder / "model"
        write_full_size_model(model)
    arguments = EngineArgs(
        model=str(model),
        max_model_len=1024,
        mm_processor_cache_gb=0,
        enable_prefix_caching=False,
        logits_processors=logits_processors(),
        **(ON_GPU if full_size else ON_CPU),
    )
    engine = LLMEngine.from_engine_args(arguments)
    page = np.full((640, 640, 3), 255, np.uint8)
    page[30:60:3, 30:400:7] = 0
    resolution = resolve(Mode.SMALL, 640, 640)
    pixels = choose_pixels(page, resolution, resize_on_device=full_size)
    prompt = build_engine_input(
        engine.get_tokenizer(), pixels, "<image>\nFree OCR.", resolution, max_model_len=1024
    )
    return engine, prompt


def step_seconds(
    engine: Any, prompt: Any, num_requests: int, rule: dict[str, Any] | None
) -> tuple[float, float]:
    """The medians of a decode step while all requests run, and of what it spends in the rule."""
    from vllm import SamplingParams

    params = SamplingParams(
        temperature=0.0,
        max_tokens=NUM_TOKENS,
        ignore_eos=True,
        extra_args={"no_repeat_ngram": rule} if rule else None,
    )
    for number in range(num_requests):
        engine.add_request(f"{time.monotonic_ns()}-{number}", prompt, params)
    seconds, in_rule = [], []
    while engine.has_unfinished_requests():
        started, before = time.perf_counter(), IN_RULE.seconds
        engine.step()
        seconds.append(time.perf_counter() - started)
        in_rule.append(IN_RULE.seconds - before)
    counted = slice(WARMUP_STEPS, -LAST_STEPS)
    return statistics.median(seconds[counted]), statistics.median(in_rule[counted])


if __name__ == "__main__":
    main()
