"""What the no-repeat n-gram rule costs: decode steps with and without it, in one run.

python -m bench.ngram                 # 64 requests, the small model, without a GPU
python -m bench.ngram --full-size     # 256 requests and 1, on a GPU, random weights
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from folio.engine.vllm_arguments import logits_processors, prepare_environment
from tests.plugin import plugin_paths

NUM_TOKENS = 150
NUM_REPEATS = 5
RULE = {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [5]}
# The first steps prefill, the last ones have fewer requests.
WARMUP_STEPS, LAST_STEPS = 20, 2
ON_CPU: dict[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "max_num_seqs": 64,
    "max_num_batched_tokens": 4096,
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
    without, with_rule = (step_seconds(engine, prompt, num_requests, r) for r in (None, RULE))
    print(
        f"{num_requests} requests, run {repeat}: step {1000 * without:.2f} ms without the rule, "
        f"{1000 * with_rule:.2f} ms with it: {with_rule / without:.3f}",
        flush=True,
    )
    return with_rule / without


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


def step_seconds(engine: Any, prompt: Any, num_requests: int, rule: dict[str, Any] | None) -> float:
    """The median of a decode step while all requests run."""
    from vllm import SamplingParams

    params = SamplingParams(
        temperature=0.0,
        max_tokens=NUM_TOKENS,
        ignore_eos=True,
        extra_args={"no_repeat_ngram": rule} if rule else None,
    )
    for number in range(num_requests):
        engine.add_request(f"{time.monotonic_ns()}-{number}", prompt, params)
    seconds = []
    while engine.has_unfinished_requests():
        started = time.perf_counter()
        engine.step()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARMUP_STEPS:-LAST_STEPS])


if __name__ == "__main__":
    main()
