"""Runs an engine on pages in a process of its own: `python -m tests.integration.model.engine_runs`.

Started by `run_engine`; the job comes as JSON on standard input, the result goes to a file.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from folio.engine.vllm_arguments import logits_processors
from folio.preprocessing.resolution import Mode, resolve
from tests.integration.model.vllms_own import register_vllms_own_model, vllms_own_input

ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}
# vLLM compiles some functions all the same, as its source reads one for logprobs.
WITHOUT_GPU = {"TORCH_COMPILE_DISABLE": "1"}
# Engine arguments for the published configuration with random weights, on a GPU.
FULL_SIZE = {
    "dtype": "bfloat16",
    "load_format": "dummy",
    "enforce_eager": False,
    "max_model_len": 8192,
    "max_num_batched_tokens": 8192,
    "gpu_memory_utilization": 0.5,
}
PROMPT = "<image>\nFree OCR."
MAX_MODEL_LEN = 2048
REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Page:
    """A picture to read, and the request's no-repeat rule.

    as_it_is: the page itself goes to the model, as with a GPU, and not its views.
    """

    path: str
    mode: str
    no_repeat_ngram: dict | None = None
    as_it_is: bool = False


@dataclass(frozen=True)
class Job:
    """What to run: all pages together, and then, if wanted, once more one by one.

    vllms_own: by vLLM's own implementation, which takes one mode at a time, so one by one.
    engine_args: over those of `make_engine`.
    """

    model: str
    pages: list[Page]
    vllms_own: bool = False
    one_by_one_too: bool = False
    max_tokens: int = 32
    engine_args: dict = field(default_factory=dict)


@dataclass(frozen=True)
class PageRun:
    """What the engine made of a page.

    logprobs: of the five likeliest tokens at each step. embeddings: (image tokens, hidden).
    """

    prompt_token_ids: list[int]
    token_ids: list[int]
    text: str
    logprobs: list[dict[str, float]]
    embeddings: torch.Tensor | None


def child_environment():
    """Who runs the tests chooses the number of threads."""
    without_gpu = {} if torch.cuda.device_count() else WITHOUT_GPU
    return {"OMP_NUM_THREADS": "2", **os.environ, **ENVIRONMENT, **without_gpu}


def run_engine(job, folder):
    """Run a job in a new process -> a PageRun for each page."""
    environment = child_environment()
    if job.vllms_own:
        environment["VLLM_PLUGINS"] = ""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.model.engine_runs", str(folder)],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        env=environment,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    runs = json.loads((folder / "runs.json").read_text())
    embeddings = load_file(folder / "embeddings.safetensors")
    return [PageRun(**run, embeddings=embeddings.get(str(n))) for n, run in enumerate(runs)]


def main(folder):
    job = read_job(sys.stdin)
    if job.vllms_own:
        register_vllms_own_model()
    engine = make_engine(job)
    embeddings = record_embeddings(engine)
    outputs = [] if job.vllms_own else run_together(engine, job, job.pages)
    if job.vllms_own or job.one_by_one_too:
        for page in job.pages:
            engine.reset_encoder_cache()  # vLLM's own knows a picture again in another mode
            outputs += run_together(engine, job, [page])
    (folder / "runs.json").write_text(json.dumps([describe(output) for output in outputs]))
    save_file({str(n): e for n, e in enumerate(embeddings)}, folder / "embeddings.safetensors")


def run_together(engine, job, pages):
    for number, page in enumerate(pages):
        engine.add_request(str(number), engine_input(job, engine, page), sampling(job, page))
    outputs = {}
    while engine.has_unfinished_requests():
        outputs.update({output.request_id: output for output in engine.step()})
    return [outputs[str(number)] for number in range(len(pages))]


def describe(output):
    completion = output.outputs[0]
    return {
        "prompt_token_ids": list(output.prompt_token_ids),
        "token_ids": list(completion.token_ids),
        "text": completion.text,
        "logprobs": [
            {str(token): value.logprob for token, value in step.items()}
            for step in completion.logprobs
        ],
    }


def read_job(stream):
    values = json.load(stream)
    return Job(**{**values, "pages": [Page(**page) for page in values["pages"]]})


def make_engine(job):
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

    processors = [] if job.vllms_own else logits_processors()
    arguments = {
        "model": job.model,
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": MAX_MODEL_LEN,
        "max_num_seqs": 16,
        "max_num_batched_tokens": 2048,
        "mm_processor_cache_gb": 0,
        "enable_prefix_caching": False,
        "logits_processors": processors,
    }
    return LLMEngine.from_engine_args(EngineArgs(**{**arguments, **job.engine_args}))


def record_embeddings(engine):
    recorded = []

    def record(model):
        embed = model.embed_multimodal

        def recording(**kwargs):
            embeddings = embed(**kwargs)
            recorded.extend(e.float().clone() for e in embeddings)
            return embeddings

        model.embed_multimodal = recording

    engine.apply_model(record)
    return recorded


def sampling(job, page):
    from vllm import SamplingParams

    rule = page.no_repeat_ngram
    return SamplingParams(
        temperature=0,
        max_tokens=job.max_tokens,
        logprobs=5,
        skip_special_tokens=False,
        extra_args={"no_repeat_ngram": rule} if rule else None,
    )


def engine_input(job, engine, page):
    import numpy as np
    from PIL import Image

    image = Image.open(page.path).convert("RGB")
    tokenizer = engine.get_tokenizer()
    mode = Mode(page.mode)
    if job.vllms_own:
        return vllms_own_input(image, mode, tokenizer.bos_token + PROMPT)
    from folio.model.inputs import build_engine_input, choose_pixels

    resolution = resolve(mode, *image.size)
    pixels = choose_pixels(np.array(image), resolution, resize_on_device=page.as_it_is)
    return build_engine_input(tokenizer, pixels, PROMPT, resolution, max_model_len=MAX_MODEL_LEN)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
