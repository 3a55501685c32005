"""The settings, read from the environment once, at the edge, and passed down from there.

Every field is an environment variable of the same name in capitals (`MODEL_PATH`, `PORT` ...).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED_MODEL = "folio-nano"
MEBIBYTE = 1024 * 1024
_DATABASE_URL = re.compile(r"(postgres|postgresql|sqlite)(\+\w+)?://")


def embedded_model_path() -> Path:
    """The folder of the small model that ships with the project (models/nano)."""
    return Path(__file__).resolve().parents[2] / "models" / "nano"


def built_frontend_path() -> Path:
    """The folder that the web page is built into (frontend/dist)."""
    return Path(__file__).resolve().parents[2] / "frontend" / "dist"


class _Group(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, protected_namespaces=()
    )


class ServerSettings(_Group):
    """Where the service listens, and where it keeps what it stores."""

    host: str = "0.0.0.0"
    port: int = Field(8001, ge=1, le=65535)
    data_dir: Path = Path("data")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="http://collector:4318: where traces are sent; none: there are none"
    )
    shutdown_timeout_seconds: int = Field(
        30, ge=0, description="So long what runs may go on after SIGTERM"
    )
    internal_api_token: SecretStr | None = None
    frontend_dir: Path | None = Field(None, description="The built web page; none: frontend/dist")


class LimitSettings(_Group):
    """What is refused before any work is done on it."""

    max_upload_bytes: int = Field(50 * MEBIBYTE, ge=1, description="Of an image")
    max_document_bytes: int = Field(200 * MEBIBYTE, ge=1, description="Of a PDF or TIFF")
    max_image_pixels: int = Field(100_000_000, ge=1)
    max_image_side: int = Field(20_000, ge=1)
    request_timeout_seconds: float = Field(300.0, gt=0)


class DatabaseSettings(_Group):
    """Where tasks and pages are kept. None: SQLite in data_dir."""

    database_url: SecretStr | None = Field(None, description="postgresql://user:password@host/name")

    @field_validator("database_url")
    @classmethod
    def _check_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not _DATABASE_URL.match(url.get_secret_value()):
            raise ValueError("it is no postgresql://user:password@host/name")
        return url


class JobSettings(_Group):
    """Documents as tasks: the queue, the pages, and how long results are kept."""

    celery_broker_url: SecretStr | None = Field(
        None, description="redis://host:6379/0; none: a worker inside the service"
    )

    @field_validator("celery_broker_url")
    @classmethod
    def _check_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url and "://" not in url.get_secret_value():
            raise ValueError("it is no redis://:password@host:6379/0")
        return url

    max_pages: int = Field(2000, ge=1)
    pdf_renderer: Literal["mupdf", "pdfium"] = "mupdf"
    render_processes: int = Field(
        2, ge=1, le=16, description="Children of a worker process that draw pages"
    )
    max_page_pixels: int = Field(20_000_000, ge=10_000)
    render_timeout_seconds: float = Field(60.0, gt=0)
    max_render_memory_bytes: int = Field(1024 * MEBIBYTE, ge=256 * MEBIBYTE)
    pages_per_range: int = Field(16, ge=1, description="What one worker takes up at once")
    max_pages_in_flight: int = Field(16, ge=1, description="Per worker process")
    max_page_claims: int = Field(
        5, ge=1, description="Workers that may die on a page before it counts as failed"
    )
    lease_seconds: float = Field(30.0, gt=0, description="A worker unheard of so long is dead")
    results_retry_seconds: float = Field(
        3600.0, ge=0, description="So long a task is tried again whose results cannot be written"
    )
    reaper_interval_seconds: float = Field(10.0, gt=0)
    retention_hours: float = Field(168.0, ge=0, description="0 keeps results for ever")


class WorkerSettings(_Group):
    """Where a worker without a GPU sends its pages."""

    worker_remote_infer_url: str | None = Field(
        None, description="http://host:8001; several, parted by commas, share the pages"
    )
    worker_engine_wait_seconds: float = Field(600.0, gt=0)
    worker_num_processes: int = Field(1, ge=1)
    worker_metrics_port: int | None = Field(
        None,
        ge=1,
        le=65000,
        description="/health and /metrics of a worker's first process; others take those after it",
    )


class EngineSettings(_Group):
    """The model and how vLLM runs it. None leaves the choice to Folio's plan (engine/plan.py)."""

    model_path: str | None = Field(None, description="A folder or a hub id; none: models/nano")
    served_model_name: str | None = None
    model_hub: Literal["huggingface", "modelscope"] = Field(
        "huggingface", description="Where a hub id is downloaded from"
    )
    model_cache_dir: Path | None = Field(
        None, description="Where downloaded models lie; none: ~/.cache/folio/models"
    )
    hf_endpoint: str = Field("https://huggingface.co", description="Or a mirror of it")
    hf_token: SecretStr | None = Field(None, description="For models that must be agreed to")
    hf_hub_offline: bool = Field(False, description="Never ask a hub")
    modelscope_endpoint: str = "https://modelscope.cn"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    load_format: Literal["auto", "safetensors", "dummy"] = Field(
        "auto", description="dummy: random weights, for measuring speed without a checkpoint"
    )
    quantization: Literal["awq", "gptq", "fp8", "compressed-tensors"] | None = Field(
        None,
        description="None: the checkpoint's own; fp8 also quantises a 16-bit one at the start",
    )
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2"] | None = Field(
        None, description="auto: as DTYPE; fp8 halves the memory of a page"
    )
    max_model_len: int | None = Field(None, ge=512, description="Tokens of prompt and answer")
    max_num_seqs: int | None = Field(None, ge=1)
    max_num_batched_tokens: int | None = Field(None, ge=512)
    max_queued_requests: int = Field(256, ge=0)
    max_crops: int = Field(6, ge=2, le=9)
    gpu_memory_utilization: float | None = Field(None, gt=0, le=1)
    gpu_memory_budget_gb: float | None = Field(
        None, gt=0, description="The most that Folio takes of each card, in GB of 2^30 bytes"
    )
    tensor_parallel_size: int | None = Field(None, ge=1)
    data_parallel_size: int = Field(
        1, ge=1, description="Engines side by side, each with TENSOR_PARALLEL_SIZE cards of its own"
    )
    enforce_eager: bool | None = None
    engine_stats: bool = Field(
        True, description="vLLM's own metrics; they cost some 10 us of CPU for each token"
    )
    engine_silence_seconds: float = Field(
        120.0, gt=0, description="An engine core that answers nothing for so long is replaced"
    )
    engine_max_failed_starts: int = Field(
        5, ge=1, description="In a row; then the process ends, for who started it to start it anew"
    )
    tower_attention: Literal["folded", "fused"] = Field(
        "fused", description="SAM's attention on a GPU: by our own kernel, or folded into torch's"
    )
    tower_compiled: bool = Field(False, description="The vision tower by torch.compile, on a GPU")
    tower_cuda_graphs: bool | None = Field(
        None, description="The vision tower in CUDA graphs; none: on cards of 32 GB and more"
    )
    decode_window: int = Field(
        8, ge=1, le=32, description="Tokens of each page that a GPU writes at a stretch"
    )

    @property
    def uses_embedded_model(self) -> bool:
        return self.model_path is None

    @property
    def model(self) -> str:
        """What vLLM loads: a folder or a hub id."""
        return self.model_path or str(embedded_model_path())

    @property
    def model_folders(self) -> Path:
        """Where downloaded models lie, each in a folder named after its hub id."""
        return self.model_cache_dir or Path.home() / ".cache" / "folio" / "models"

    @property
    def model_name(self) -> str:
        """What the service calls the model towards its users."""
        if self.served_model_name:
            return self.served_model_name
        if self.model_path is None:
            return EMBEDDED_MODEL
        return Path(self.model_path).name if Path(self.model_path).is_dir() else self.model_path


class Settings(BaseModel):
    """All groups together."""

    model_config = ConfigDict(frozen=True)

    server: ServerSettings = Field(default_factory=ServerSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    engine: EngineSettings = Field(default_factory=EngineSettings)

    @property
    def database_url(self) -> str:
        """With its password, so not for logs."""
        if self.database.database_url is not None:
            return self.database.database_url.get_secret_value()
        return f"sqlite:///{self.server.data_dir / 'folio.db'}"

    @property
    def storage_dir(self) -> Path:
        """Where uploads and results lie, a folder for each task. All workers need it."""
        return self.server.data_dir / "tasks"


@dataclass(frozen=True)
class WrongSetting:
    """One that could not be read. `value` is hidden where it may hold a secret."""

    name: str
    value: str
    problem: str


def wrong_settings(error: ValidationError) -> list[WrongSetting]:
    """What keeps Settings() from being made, for the operator."""
    groups = [field.annotation for field in Settings.model_fields.values()]
    secrets = {
        name
        for group in groups
        if group is not None
        for name, field in group.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    wrong = []
    for item in error.errors():
        name = str(item["loc"][-1])
        value = "***" if name in secrets else repr(item["input"])
        problem = item["msg"].removeprefix("Value error, ")
        wrong.append(WrongSetting(name.upper(), value, problem))
    return wrong
