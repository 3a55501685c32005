"""A scheduler run as vLLM's engine core runs it, without a model."""

import torch
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.sampling_params import SamplingParams
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.engine import EngineCoreOutput
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

from folio.config import embedded_model_path
from folio.model.pieces import TOKENS_PER_PIECE
from folio.model.scheduling import PageScheduler
from folio.model.windows import DECODE_WINDOW, window_of

BLOCK_SIZE = 16
MAX_MODEL_LEN = 512
NUM_STEPS = 4
PROMPT = list(range(5, 45))


def make_scheduler(
    num_steps: int = NUM_STEPS,
    num_blocks: int = 1000,
    *,
    tokens_per_piece: int = 1,
    log_stats: bool = False,
) -> PageScheduler:
    config = AsyncEngineArgs(
        model=str(embedded_model_path()),
        dtype="float32",
        max_model_len=MAX_MODEL_LEN,
        max_num_seqs=8,
        max_num_batched_tokens=512,
        enable_prefix_caching=False,
        async_scheduling=True,
        additional_config={DECODE_WINDOW: num_steps, TOKENS_PER_PIECE: tokens_per_piece},
    ).create_engine_config()
    config.scheduler_config.async_scheduling = True
    config.cache_config.block_size = BLOCK_SIZE
    config.cache_config.num_gpu_blocks = num_blocks
    spec = FullAttentionSpec(
        block_size=BLOCK_SIZE, num_kv_heads=1, head_size=32, dtype=torch.float32
    )
    return PageScheduler(
        vllm_config=config,
        kv_cache_config=KVCacheConfig(
            num_blocks=num_blocks,
            kv_cache_tensors=[],
            kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)],
        ),
        structured_output_manager=StructuredOutputManager(config),
        block_size=BLOCK_SIZE,
        hash_block_size=BLOCK_SIZE,
        log_stats=log_stats,
    )


class Pages:
    """Runs a scheduler as vLLM's engine core does, each step planned while the one before runs.

    The n-th token of a request is n.
    """

    def __init__(self, scheduler: PageScheduler) -> None:
        self.scheduler = scheduler
        self.written: dict[str, list[int]] = {}
        self.outputs: list[EngineCoreOutput] = []
        self.plans: list[SchedulerOutput] = []
        self._running: list[tuple[SchedulerOutput, ModelRunnerOutput]] = []
        self._next_token: dict[str, int] = {}

    def add(self, name: str, max_tokens: int, end: int | None = None, num_prompt: int = 40) -> None:
        """end: the token that ends it."""
        params = SamplingParams(max_tokens=max_tokens)
        params.update_from_generation_config({}, end)
        prompt = (PROMPT * 20)[:num_prompt]
        self.scheduler.add_request(Request(name, prompt, params, pooling_params=None))
        self.written[name] = []
        self._next_token[name] = 1

    def step(self) -> SchedulerOutput:
        plan = self.scheduler.schedule()
        self.plans.append(plan)
        self._running.append((plan, self._run(plan)))
        if len(self._running) == 2:
            self._book()
        return plan

    def give_up(self, name: str) -> None:
        self.scheduler.finish_requests([name], RequestStatus.FINISHED_ABORTED)

    def run(self, most: int = 400) -> None:
        for _ in range(most):
            if not self.scheduler.has_requests():
                return
            self.step()
        raise AssertionError("the requests do not end")

    def _run(self, plan: SchedulerOutput) -> ModelRunnerOutput:
        names = list(plan.num_scheduled_tokens)
        tokens = []
        for name in names:
            is_reading = self.scheduler.requests[name].is_prefill_chunk
            first = self._next_token[name]
            count = 0 if is_reading else window_of(plan)
            self._next_token[name] += count
            tokens.append(list(range(first, first + count)))
        places = {name: place for place, name in enumerate(names)}
        return ModelRunnerOutput(names, places, tokens)

    def _book(self) -> None:
        plan, output = self._running.pop(0)
        for outputs in self.scheduler.update_from_output(plan, output).values():
            for one in outputs.outputs:
                self.written[one.request_id] += one.new_token_ids
                self.outputs.append(one)
