"""vLLM's AsyncLLM inside this process: its life cycle, and pages through it.

The engine core itself is a child process of vLLM's; what is here is the front end.
"""

import asyncio
import gc
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from folio.config import EngineSettings
from folio.engine.admission import Admission
from folio.engine.base import (
    EngineState,
    EngineStatus,
    GenerationOutput,
    GenerationRequest,
)
from folio.engine.gpus import watch_gpus
from folio.engine.lifeline import Lifeline
from folio.engine.measurement import observe_stages
from folio.engine.page_text import PageText
from folio.engine.replicas import visible_devices
from folio.engine.vllm_arguments import (
    engine_arguments,
    has_gpu,
    no_repeat_ngram_arguments,
    prepare_environment,
)
from folio.engine.vllm_metrics import stat_logger
from folio.engine.warm_up import warm_up_rounds
from folio.errors import (
    EngineNotReadyError,
    InvalidInputError,
    SettingsConflictError,
    SetUpError,
)
from folio.telemetry.metrics import Stage, timed

if TYPE_CHECKING:
    from vllm.inputs.engine import MultiModalInput
    from vllm.sampling_params import SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.metrics.loggers import StatLoggerFactory

    from folio.model.inputs import Tokenizer

log = logging.getLogger(__name__)

NOT_STARTED = "The engine has not been started."
STOPPED = "The engine has been stopped."
DIED = "The engine core has died."
_SOCKET_SECONDS = 1.0  # for a task that has been cancelled to leave its socket
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class _Loaded:
    """What there is only once the model is loaded."""

    llm: "AsyncLLM"
    admission: Admission
    max_model_len: int

    @property
    def tokenizer(self) -> "Tokenizer":
        tokenizer: Tokenizer = self.llm.get_tokenizer()
        return tokenizer


class VllmEngine:
    """One embedded vLLM engine. `start` loads the model, `generate` reads pages, `stop` ends it.

    devices: the cards it may use, as CUDA_VISIBLE_DEVICES names them; None: those that we may.
    index: of several engines, for the label `engine` of vLLM's metrics. warms_up: whether it reads
    pages before it is healthy, which are in no metric; None: on a GPU.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        devices: str | None = None,
        index: int = 0,
        warms_up: bool | None = None,
    ) -> None:
        self._settings = settings
        self._index = index
        self._devices = devices
        self._warms_up = warms_up
        self._loaded: _Loaded | None = None
        self._is_warm = False
        self._loading: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._needs_mending = False
        self._news: str | None = None
        self._ending: asyncio.Task[None] | None = None
        self._others: set[BaseProcess] | None = None
        self._lifeline = Lifeline()
        # Pillow resizes without the GIL; more threads than cores would only hold more pages.
        self._preprocessing = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="views")

    @property
    def status(self) -> EngineStatus:
        """Asked of vLLM at each call: the death of the engine core shows at once."""
        model = self._settings.model_name
        if self._failure:
            return EngineStatus(
                EngineState.UNHEALTHY, model, self._failure, needs_mending=self._needs_mending
            )
        if self._ending is not None:
            return EngineStatus(EngineState.UNHEALTHY, model, STOPPED)
        if self._loaded is None or not self._is_warm:
            return EngineStatus(EngineState.STARTING, model, self._news)
        if self._loaded.llm.errored:
            return EngineStatus(EngineState.UNHEALTHY, model, DIED)
        num_requests = self._loaded.admission.num_requests
        return EngineStatus(EngineState.HEALTHY, model, num_requests=num_requests)

    async def start(self) -> None:
        """Load the model in a thread, so that the event loop keeps answering meanwhile."""
        self._loading = asyncio.create_task(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        log.info("Loading model %s from %s", self._settings.model_name, self._settings.model)
        try:
            await asyncio.to_thread(self._create)
            await self._warm_up()
        except SetUpError as error:
            # For the operator, who needs no traceback; whoever started the engine tells it.
            self._failure, self._needs_mending = error.message, not error.retryable
        except Exception as error:
            # vLLM raises anything here: a bad path, too little memory, a dead child process.
            self._failure = f"The model did not load: {error}"
            log.error("%s", self._failure, exc_info=self._ending is None)
        else:
            log.info("Model %s is ready", self._settings.model_name)

    async def _warm_up(self) -> None:
        loaded = self._loaded
        assert loaded is not None, "the model has been loaded"
        if has_gpu() if self._warms_up is None else self._warms_up:
            # MAX_MODEL_LEN may be too short for a page of this size; it has others to serve.
            with suppress(InvalidInputError):
                await self._read_noise(loaded)
        self._is_warm = True

    async def _read_noise(self, loaded: _Loaded) -> None:
        max_crops, most = self._settings.max_crops, loaded.admission.max_requests
        for requests in warm_up_rounds(max_crops=max_crops, most=most):
            await asyncio.gather(*(self._read(loaded, request) for request in requests))

    async def _read(self, loaded: _Loaded, request: GenerationRequest) -> None:
        async for _ in self._generate(loaded, request):
            pass

    def _hear(self, news: str | None) -> None:
        """Called by the loading thread, which ends here where nobody waits for the model."""
        if self._ending is not None:
            raise EngineNotReadyError(STOPPED)
        self._news = news

    def _create(self) -> None:
        """Set `_loaded`. Not returned: somewhere in vLLM's imports an exception is kept for ever,
        and with it the frames of who imported it and what they hold."""
        prepare_environment()
        is_on_gpu = has_gpu()
        with visible_devices(self._devices):
            if is_on_gpu and not has_gpu():
                raise SettingsConflictError(
                    f"DATA_PARALLEL_SIZE asks for card {self._devices}, which is not there. Set it "
                    "to the number of cards, or less."
                )
            self._create_llm()

    def _create_llm(self) -> None:
        # Before vLLM is imported: what cannot work is said in a second.
        arguments = engine_arguments(self._settings, self._hear)
        is_imported = "vllm.v1.engine.async_llm" in sys.modules
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._hear(None)  # importing took its time
        if not is_imported:
            # The garbage collector would look through all of vLLM and torch now and then, and when
            # an engine is freed: 0.4 s in which nobody is answered, on busy cores 1.1 s. Only now,
            # before the first engine: what is frozen is never freed.
            gc.freeze()
        if has_gpu():
            watch_gpus()
        num_parallel = arguments["max_num_seqs"]
        # Engines of one process start one after the other: what is new after this is ours.
        self._others = set(multiprocessing.active_children())
        self._loaded = _Loaded(
            llm=AsyncLLM.from_engine_args(
                AsyncEngineArgs(**arguments), stat_loggers=self._stat_loggers()
            ),
            admission=Admission(num_parallel + self._settings.max_queued_requests, num_parallel),
            max_model_len=arguments["max_model_len"],
        )

    def _stat_loggers(self) -> "list[StatLoggerFactory]":
        """None where nothing is to be counted: vLLM would begin to, for a logger's sake."""
        if not self._settings.engine_stats:
            return []
        return [stat_logger(self._index, counts=lambda: self._is_warm)]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        """Stream the page's text; closing the generator aborts the request in the engine core."""
        async with aclosing(self._generate(self._ready(), request)) as outputs:
            async for output in outputs:
                yield output

    async def _generate(
        self, loaded: _Loaded, request: GenerationRequest
    ) -> AsyncGenerator[GenerationOutput, None]:
        with loaded.admission.admit():
            loop = asyncio.get_running_loop()
            with timed(Stage.PREPROCESS) if self._is_warm else nullcontext():
                engine_input = await loop.run_in_executor(
                    self._preprocessing, self._build_input, loaded, request
                )
            params = self._sampling_params(loaded, request, engine_input)
            stream = self._stream(loaded.llm, request, engine_input, params)
            async with aclosing(stream):
                async for output in stream:
                    yield output

    def _ready(self) -> "_Loaded":
        status = self.status
        if status.state is EngineState.STARTING:
            raise EngineNotReadyError("The model is still loading. Try again in a minute.")
        if status.state is EngineState.UNHEALTHY or self._loaded is None:
            raise EngineNotReadyError(status.reason or NOT_STARTED)
        return self._loaded

    def _build_input(self, loaded: _Loaded, request: GenerationRequest) -> "MultiModalInput":
        from folio.model.inputs import build_engine_input, choose_pixels

        return build_engine_input(
            loaded.tokenizer,
            choose_pixels(request.image, request.resolution, resize_on_device=has_gpu()),
            request.prompt,
            request.resolution,
            max_model_len=loaded.max_model_len,
        )

    def _sampling_params(
        self, loaded: _Loaded, request: GenerationRequest, engine_input: "MultiModalInput"
    ) -> "SamplingParams":
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        room = loaded.max_model_len - len(engine_input["prompt_token_ids"])
        return SamplingParams(
            temperature=0.0,
            max_tokens=min(request.max_tokens or room, room),
            # Table cells and boxes are special tokens: without them the page loses its structure.
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.DELTA,
            extra_args=no_repeat_ngram_arguments(request.no_repeat_ngram, loaded.tokenizer),
        )

    async def _stream(
        self,
        llm: "AsyncLLM",
        request: GenerationRequest,
        engine_input: "MultiModalInput",
        params: "SamplingParams",
    ) -> AsyncGenerator[GenerationOutput, None]:
        from vllm.v1.engine.exceptions import EngineDeadError

        page = PageText(request, len(engine_input["prompt_token_ids"]))
        try:
            async with aclosing(llm.generate(engine_input, params, request.request_id)) as deltas:
                while True:
                    # What vLLM asks its core, it waits for even when the core is dead.
                    async with self._lifeline.held():
                        delta = await anext(deltas, None)
                    if delta is None:
                        return
                    yield (output := page.add(delta.outputs[0]))
                    if output.finish_reason:
                        if self._is_warm:
                            observe_stages(delta.metrics)
                        return
        except (EngineDeadError, TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            raise EngineNotReadyError(
                "The engine ended while it read this page. Send the page again when /health "
                "says healthy."
            ) from error

    async def ping(self) -> None:
        """Return when the engine core has answered, or has died, which `status` tells."""
        from vllm.v1.engine.exceptions import EngineDeadError

        if self._loaded is not None:
            with suppress(EngineDeadError):
                await self._loaded.llm.is_sleeping()

    async def stop(self) -> None:
        """Abort what runs and free the engine; a model that still loads is given up."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        while self._loading and not self._loading.done():
            # The loading thread cannot be cancelled, but it ends when its engine core does. It may
            # only be about to start that.
            for child in self._own_children():
                child.terminate()
            await asyncio.wait([self._loading], timeout=_LOOK_SECONDS)
        if self._loaded is not None:
            await self._shut_down(self._loaded)
            self._loaded = None
            # Freed now: AsyncLLM.__del__ fails when the interpreter is already half gone. Quick,
            # since it looks through only what has come after the imports were frozen.
            gc.collect()
        # What is being cut into views goes on: who waits for it is told by the engine's end.
        self._preprocessing.shutdown(wait=False)
        log.info("Engine stopped")

    def _own_children(self) -> list[BaseProcess]:
        """The engine core on its way, and none of the engines beside this one."""
        if self._others is None:
            return []
        return [child for child in multiprocessing.active_children() if child not in self._others]

    async def _shut_down(self, loaded: _Loaded) -> None:
        if handler := loaded.llm.output_handler:
            # Else it takes the end of the engine core for a failure, and logs it as one.
            handler.cancel()
        # Where the core has died, a thread of vLLM's may be shutting down the same just now.
        resources = loaded.llm.engine_core.resources
        await asyncio.to_thread(self._shut_down_vllm)
        await _close_sockets(resources)
        self._lifeline.cut()

    def _shut_down_vllm(self) -> None:
        """For a thread: one that was given `llm.shutdown` would hold the engine until it drops what
        it ran, which on busy cores can be after whoever waits goes on to free the engine."""
        if self._loaded is not None:
            self._loaded.llm.shutdown()


async def _close_sockets(resources: object) -> None:
    """Of vLLM's client of its core: the sockets, which vLLM leaves to a later turn of the event
    loop, and their context, which ends with its last socket. Whoever frees it waits for that: left
    to the garbage collector it was the event loop, and once for ever."""
    import zmq

    held = list(vars(resources).values())
    tasks = [each for each in held if isinstance(each, asyncio.Task)]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_SOCKET_SECONDS)
    for socket in held:
        if isinstance(socket, zmq.Socket):
            socket.close(linger=0)
    for context in held:
        if isinstance(context, zmq.Context):
            threading.Thread(target=context.term, name="folio-zmq", daemon=True).start()


def _is_being_cancelled() -> bool:
    """Else a CancelledError is of vLLM's own making: of what waited on a socket that was closed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
