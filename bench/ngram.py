"""What the no-repeat n-gram rule costs: decode steps of 64 requests with and without it, one run.

python -m bench.ngram
"""

import os
import statistics
import time

from folio.engine.cpu import cpu_environment

NUM_REQUESTS = 64
NUM_TOKENS = 150
RULE = {"ngram_size": 30, "window_size": 90, "allowed_token_ids": [5]}
# The first steps prefill, the last ones have fewer requests.
WARMUP_STEPS, LAST_STEPS = 20, 2


def main() -> None:
    os.environ |= cpu_environment(os.cpu_count() or 1) | {"VLLM_LOGGING_LEVEL": "ERROR"}
    engine, prompt = make_engine()
    for repeat in range(3):
        without, with_rule = (step_seconds(engine, prompt, rule) for rule in (None, RULE))
        print(
            f"run {repeat}: step {1000 * without:.2f} ms without the rule, {1000 * with_rule:.2f} "
            f"ms with it: {with_rule / without:.3f}",
            flush=True,
        )


def make_engine() -> tuple[object, object]:
    import numpy as np
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

    from folio.config import embedded_model_path
    from folio.model.inputs import build_engine_input, choose_pixels
    from folio.model.logits import LOGITS_PROCESSOR
    from folio.preprocessing.resolution import Mode, resolve

    arguments = EngineArgs(
        model=str(embedded_model_path()),
        dtype="float32",
        enforce_eager=True,
        max_model_len=1024,
        max_num_seqs=NUM_REQUESTS,
        max_num_batched_tokens=4096,
        mm_processor_cache_gb=0,
        enable_prefix_caching=False,
        logits_processors=[LOGITS_PROCESSOR],
    )
    engine = LLMEngine.from_engine_args(arguments)
    page = np.full((640, 640, 3), 255, np.uint8)
    page[30:60:3, 30:400:7] = 0
    resolution = resolve(Mode.SMALL, 640, 640)
    pixels = choose_pixels(page, resolution, resize_on_device=False)
    prompt = build_engine_input(
        engine.get_tokenizer(), pixels, "<image>\nFree OCR.", resolution, max_model_len=1024
    )
    return engine, prompt


def step_seconds(engine: object, prompt: object, rule: dict[str, object] | None) -> float:
    """The median of a decode step while all requests run."""
    from vllm import SamplingParams

    params = SamplingParams(
        temperature=0.0,
        max_tokens=NUM_TOKENS,
        ignore_eos=True,
        extra_args={"no_repeat_ngram": rule} if rule else None,
    )
    for number in range(NUM_REQUESTS):
        engine.add_request(f"{time.monotonic_ns()}-{number}", prompt, params)
    seconds = []
    while engine.has_unfinished_requests():
        started = time.perf_counter()
        engine.step()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARMUP_STEPS:-LAST_STEPS])


if __name__ == "__main__":
    main()
