"""An engine that answers from a script: for the tests of what lies above the engine.

Deterministic, without torch, and never a default.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from folio.engine.base import (
    EngineState,
    EngineStatus,
    FinishReason,
    GenerationOutput,
    GenerationRequest,
)
from folio.errors import EngineNotReadyError, FolioError, SetUpError

Answer = str | Callable[[GenerationRequest], str]
Ending = FinishReason | Callable[[GenerationRequest], FinishReason]

_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass
class FakeEngine:
    """Answers every request with `answer`, or with what `answer` makes of the request.

    answer_by_prompt: answers to particular prompts, tried before `answer`.
    finish_reason: how each answer ends, or what it makes of the request: a loop, a cut-off end.
    seconds_per_token: the pause before each word; a word is a token here.
    start_error, error: what `start` and `generate` fail with; `error_after_tokens` of the answer.
    """

    answer: Answer = ""
    answer_by_prompt: dict[str, str] = field(default_factory=dict)
    finish_reason: Ending = "stop"
    seconds_per_token: float = 0.0
    start_seconds: float = 0.0
    start_error: Exception | None = None
    error: FolioError | None = None
    error_after_tokens: int = 0
    model: str = "fake"

    requests: list[GenerationRequest] = field(default_factory=list, init=False)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    finished: list[str] = field(default_factory=list, init=False)
    aborted: list[str] = field(default_factory=list, init=False)
    state: EngineState = field(default=EngineState.STARTING, init=False)
    reason: str | None = field(default=None, init=False)
    needs_mending: bool = field(default=False, init=False)
    _turns: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._turns.set()

    @property
    def num_running(self) -> int:
        """Requests that have begun and neither finished nor been aborted."""
        return len(self.requests) - len(self.finished) - len(self.aborted)

    @property
    def status(self) -> EngineStatus:
        return EngineStatus(
            self.state,
            self.model,
            self.reason,
            self.num_running,
            needs_mending=self.needs_mending,
        )

    async def start(self) -> None:
        await asyncio.sleep(self.start_seconds)
        if self.start_error is not None:
            self.needs_mending = (
                isinstance(self.start_error, SetUpError) and not self.start_error.retryable
            )
            self.die(str(self.start_error))
            return
        self.state, self.reason = EngineState.HEALTHY, None

    async def stop(self) -> None:
        self.die("The engine was stopped.")

    async def ping(self) -> None:
        await self._turns.wait()

    def hang(self) -> None:
        """Neither stream nor answer from here on, until it dies or is stopped."""
        self._turns.clear()

    def die(self, reason: str) -> None:
        """Fail as an engine core that was killed does: nothing is answered from here on."""
        self.state, self.reason = EngineState.UNHEALTHY, reason
        self._turns.set()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        self._check_health()
        self.requests.append(request)
        self.was_asked.set()
        try:
            async for output in self._stream(request):
                yield output
        except BaseException:  # closed by the caller, cancelled, or failed by the script
            self.aborted.append(request.request_id)
            raise
        self.finished.append(request.request_id)

    async def _stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationOutput, None]:
        tokens = _TOKEN.findall(self._answer(request))
        allowed = tokens[: request.max_tokens]
        if self.error is not None and self.error_after_tokens == 0:
            raise self.error
        if not allowed:
            yield self._output(request, "", 0, self._ending(request))
        for count in range(1, len(allowed) + 1):
            await asyncio.sleep(self.seconds_per_token)
            await self.ping()
            self._check_health()
            if self.error is not None and count > self.error_after_tokens:
                raise self.error
            is_cut_off = len(allowed) < len(tokens)
            last_reason: FinishReason = "length" if is_cut_off else self._ending(request)
            reason = last_reason if count == len(allowed) else None
            yield self._output(request, "".join(allowed[:count]), count, reason)

    def _answer(self, request: GenerationRequest) -> str:
        scripted = self.answer_by_prompt.get(request.prompt)
        if scripted is not None:
            return scripted
        return self.answer if isinstance(self.answer, str) else self.answer(request)

    def _ending(self, request: GenerationRequest) -> FinishReason:
        ending = self.finish_reason
        return ending(request) if callable(ending) else ending

    def _check_health(self) -> None:
        if self.state is not EngineState.HEALTHY:
            raise EngineNotReadyError(self.reason or "The model is still loading. Try again soon.")

    @staticmethod
    def _output(
        request: GenerationRequest, text: str, num_tokens: int, reason: FinishReason | None
    ) -> GenerationOutput:
        image_tokens = request.resolution.num_image_tokens
        return GenerationOutput(
            text=text,
            prompt_tokens=image_tokens + 1 + len(_TOKEN.findall(request.prompt)),
            image_tokens=image_tokens,
            completion_tokens=num_tokens,
            finish_reason=reason,
        )
