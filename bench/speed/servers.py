"""The two servers: how each is started, asked for a page, and asked whether it is ready."""

import base64
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.speed.load import Call
from folio.engine.cpu import cpu_environment
from tests.plugin import REPOSITORY, plugin_paths

NGRAM_SIZE, WINDOW_SIZE = 30, 90
TABLE_CELL_IDS = [128821, 128822]
MAX_NUM_BATCHED_TOKENS = 16384
NUM_API_SERVERS = 8
PORT = "$PORT"  # in a command: the port that the server is to listen on
# One user message: the picture's placeholder, then the words.
CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"


@dataclass(frozen=True)
class ServerOptions:
    """What to serve. is_random: weights are made up, not loaded; else it is the small model."""

    model: Path
    mode: str
    is_random: bool
    stock_arguments: tuple[str, ...] = ()
    timeout_seconds: float = 500.0


class ServerKind(ABC):
    """One of the two."""

    @abstractmethod
    def command(self, options: ServerOptions) -> list[str]:
        """With PORT for its port."""

    @abstractmethod
    def environment(self, options: ServerOptions) -> Mapping[str, str]: ...

    @abstractmethod
    def call(self, page: Path, num_tokens: int, mode: str) -> Call: ...


class Stock(ServerKind):
    """`vllm serve` with vLLM's own model and n-gram processor, as fast as it was ever seen."""

    def command(self, options: ServerOptions) -> list[str]:
        ngram_processor = "vllm.model_executor.models.deepseek_ocr:NGramPerReqLogitsProcessor"
        arguments = {
            "--served-model-name": "model",
            "--host": "127.0.0.1",
            "--port": PORT,
            "--max-model-len": "8192",
            "--max-num-batched-tokens": str(MAX_NUM_BATCHED_TOKENS if options.is_random else 4096),
            "--max-num-seqs": "256",
            "--mm-processor-cache-gb": "0",
            "--limit-mm-per-prompt": '{"image": 1}',
            "--chat-template": CHAT_TEMPLATE,
            "--chat-template-content-format": "string",
        }
        if options.is_random:
            arguments |= {
                "--load-format": "dummy",
                "--api-server-count": str(NUM_API_SERVERS),
                "--logits-processors": ngram_processor,
                "--dtype": "bfloat16",
            }
        flat = [part for pair in arguments.items() for part in pair]
        serve = ["vllm.entrypoints.cli.main", "serve", str(options.model)]
        # `vllm serve` without several API servers: the CPU build has no `vllm` command.
        serve_one = ["vllm.entrypoints.openai.api_server", "--model", str(options.model)]
        vllm = [sys.executable, "-m", *(serve if options.is_random else serve_one)]
        own = ["--no-enable-prefix-caching", "--disable-uvicorn-access-log"]
        small = [] if options.is_random else ["--enforce-eager", "--gpu-memory-utilization", "0.2"]
        return [*vllm, *flat, *own, *small, *options.stock_arguments]

    def environment(self, options: ServerOptions) -> Mapping[str, str]:
        # Without Folio's plugin; the small model exists through it only.
        return {"VLLM_PLUGINS": ""} if options.is_random else cpu_environment(os.cpu_count() or 1)

    def call(self, page: Path, num_tokens: int, mode: str) -> Call:  # noqa: ARG002
        kind = page.suffix.removeprefix(".")
        url = f"data:image/{kind};base64,{base64.b64encode(page.read_bytes()).decode()}"
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "Free OCR."},
        ]
        body = {
            "model": "model",
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": num_tokens,
            "ignore_eos": True,
            "skip_special_tokens": False,
            "vllm_xargs": {
                "ngram_size": NGRAM_SIZE,
                "window_size": WINDOW_SIZE,
                "whitelist_token_ids": TABLE_CELL_IDS,
            },
        }
        return Call("/v1/chat/completions", json=body)


class Folio(ServerKind):
    """`POST /api/ocr/image` of the service, told to write answers to their full length."""

    def command(self, options: ServerOptions) -> list[str]:  # noqa: ARG002
        return [sys.executable, "-m", "bench.speed.folio_service"]

    def environment(self, options: ServerOptions) -> Mapping[str, str]:
        random_weights = {"MODEL_PATH": str(options.model), "LOAD_FORMAT": "dummy"}
        return {
            "HOST": "127.0.0.1",
            "LOG_LEVEL": "INFO",
            "REQUEST_TIMEOUT_SECONDS": "900",
            **(random_weights | {"DTYPE": "bfloat16"} if options.is_random else {}),
        }

    def call(self, page: Path, num_tokens: int, mode: str) -> Call:
        fields = {"mode": mode, "task": "free", "max_tokens": str(num_tokens)}
        return Call("/api/ocr/image", fields=fields, file=str(page))


class FrontEnd(Folio):
    """Folio's own part alone: an engine that answers at once."""

    def environment(self, options: ServerOptions) -> Mapping[str, str]:
        return {**super().environment(options), "BENCH_INSTANT": "1"}


SERVERS: dict[str, ServerKind] = {"stock": Stock(), "folio": Folio(), "front": FrontEnd()}


@dataclass(frozen=True)
class Server:
    """One that runs."""

    kind: ServerKind
    options: ServerOptions
    url: str
    process: subprocess.Popen[bytes]
    start_seconds: float
    log_path: Path
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def call(self, page: Path, num_tokens: int) -> Call:
        return self.kind.call(page, num_tokens, self.options.mode)


@contextmanager
def running_server(kind: ServerKind, options: ServerOptions) -> Iterator[Server]:
    """Start it, wait until it is well, and stop it with all its processes at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="folio-speed-server-") as name:
        log_path = Path(name) / "server.log"
        command = [str(port) if part == PORT else part for part in kind.command(options)]
        own = {"PORT": str(port), "DATA_DIR": name, **kind.environment(options)}
        environment = os.environ | own
        paths = [*plugin_paths(Path(name)), environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        print(f"$ {shlex.join(command)}", flush=True)
        started = time.monotonic()
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                start_new_session=True,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_well(f"{url}/health", process, log_path, options.timeout_seconds)
            yield Server(kind, options, url, process, time.monotonic() - started, log_path)
        finally:
            stop(process)


def wait_until_well(
    url: str, process: subprocess.Popen[bytes], log_path: Path, timeout_seconds: float
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server has ended:\n{log_path.read_text()[-8000:]}")
        try:
            if is_whole(httpx.get(url, timeout=5)):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"not ready in time:\n{log_path.read_text()[-8000:]}")


def is_whole(health: httpx.Response) -> bool:
    """Folio with several engines is healthy with the first of them; the load is for all."""
    if health.status_code != httpx.codes.OK:
        return False
    engines = health.json().get("engines") if health.content else None
    return set(engines or ["healthy"]) == {"healthy"}


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL for its whole group, of which some may outlive their parent."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
