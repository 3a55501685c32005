"""What a page costs vLLM's part of the front end, by how many tokens come from the core at once.

python -m bench.pieces

192 requests of 512 tokens each, through vLLM's own decoder of messages and its output processor,
without an engine: milliseconds of the event loop a page.
"""

import time
from typing import Any

from transformers import AutoTokenizer
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, EngineCoreRequest, FinishReason
from vllm.v1.engine.output_processor import OutputProcessor, RequestOutputCollector
from vllm.v1.metrics.stats import IterationStats
from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

from folio.config import embedded_model_path

NUM_REQUESTS, NUM_TOKENS, NUM_PROMPT_TOKENS = 192, 512, 910
SIZES = (8, 32, 64)
NUM_ROUNDS = 3
TEXT = "The quick brown fox 4711 jumps over it. "


def main() -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_path())
    tokens = tokenizer.encode(TEXT * NUM_TOKENS)[:NUM_TOKENS]
    for size in SIZES * NUM_ROUNDS:
        milliseconds = 1000 * measure(tokenizer, tokens, size) / NUM_REQUESTS
        print(f"{size:3} tokens at once: {milliseconds:.2f} ms a page", flush=True)


def measure(tokenizer: Any, tokens: list[int], size: int) -> float:
    """Seconds for all requests, `size` tokens of each at a time."""
    processor = OutputProcessor(tokenizer, log_stats=True)
    collectors = [add_request(processor, str(number)) for number in range(NUM_REQUESTS)]
    encoder, decoder = MsgpackEncoder(), MsgpackDecoder(EngineCoreOutputs)
    seconds = 0.0
    for start in range(0, NUM_TOKENS, size):
        piece = tokens[start : start + size]
        end = FinishReason.LENGTH if start + size >= NUM_TOKENS else None
        outputs = [
            EngineCoreOutput(collector.request_id, piece, finish_reason=end)
            for collector in collectors
        ]
        message = encoder.encode(EngineCoreOutputs(outputs=outputs, timestamp=time.monotonic()))
        began = time.perf_counter()
        received = decoder.decode(message)
        processor.process_outputs(received.outputs, received.timestamp, IterationStats())
        for collector in collectors:
            collector.get_nowait()
        seconds += time.perf_counter() - began
    return seconds


def add_request(processor: OutputProcessor, name: str) -> RequestOutputCollector:
    """Where its output will be."""
    params = SamplingParams(
        max_tokens=NUM_TOKENS,
        skip_special_tokens=False,
        spaces_between_special_tokens=False,
        output_kind=RequestOutputKind.DELTA,
    )
    request = EngineCoreRequest(
        request_id=name,
        external_req_id=name,
        prompt_token_ids=[1] * NUM_PROMPT_TOKENS,
        mm_features=None,
        sampling_params=params,
        pooling_params=None,
        arrival_time=time.time(),
        lora_request=None,
        cache_salt=None,
        data_parallel_rank=None,
    )
    collector = RequestOutputCollector(RequestOutputKind.DELTA, name)
    processor.add_request(request, None, queue=collector)
    return collector


if __name__ == "__main__":
    main()
