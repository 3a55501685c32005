"""`folio doctor`, as an operator runs it, on set-ups that are whole and on ones that are broken."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from folio.config import Settings
from tests.postgres import execute, free_port
from tests.programs import HOST, Program, wait_until
from tests.redis import running_redis
from tests.small_checkpoint import SHARD, write_small_checkpoint

CHECKOUT = Path(__file__).parents[2]
FAKE_SERVICE = [sys.executable, "-m", "tests.integration.jobs.fake_service"]
TOKEN = "a-token-that-is-long-enough"


@dataclass(frozen=True)
class Report:
    """What the doctor said, for programs."""

    exit_status: int
    status: str
    checks: list[dict[str, str | None]]

    def of(self, name: str) -> dict[str, str | None]:
        return next(check for check in self.checks if check["name"] == name)

    def names_of(self, status: str) -> list[str | None]:
        return [check["name"] for check in self.checks if check["status"] == status]


@dataclass(frozen=True)
class SetUp:
    """Settings of an operator, and a folder for their data."""

    folder: Path
    settings: dict[str, str]

    def environment(self, changes: dict[str, str]) -> dict[str, str]:
        known = {
            name.upper()
            for group in Settings.model_fields.values()
            for name in group.annotation.model_fields
        }
        others = {name: value for name, value in os.environ.items() if name not in known}
        return others | self.settings | changes

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        folio = Path(sys.executable).with_name("folio")
        return subprocess.run(
            [folio, "doctor", *arguments],
            env=self.environment(changes),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def examine(self, **changes: str) -> Report:
        done = self.run("--json", **changes)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        return Report(done.returncode, report["status"], report["checks"])


@contextmanager
def running_fake_service(folder: Path, **settings: str) -> Iterator[str]:
    """The URL of a service that is well."""
    port = free_port()
    environment = {"PORT": str(port), "DATA_DIR": str(folder / "service"), **settings}
    environment |= {"PYTHONPATH": str(CHECKOUT)}
    program = Program(FAKE_SERVICE, log_path=folder / "service.log", environment=environment)
    program.start()
    try:
        wait_until(lambda: is_healthy(port), seconds=60)
        yield f"http://{HOST}:{port}"
    finally:
        program.kill()


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health", timeout=5, verify=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def alone(tmp_path: Path) -> SetUp:
    """Embedded parts only."""
    settings = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port()), "HOST": HOST}
    return SetUp(tmp_path, settings)


@pytest.fixture
def database_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    name = f"folio_doctor_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield f"{postgres_url}/{name}"
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def whole(alone: SetUp, database_url: str) -> Iterator[SetUp]:
    """Postgres with its tables, Redis, an engine that knows the token."""
    with (
        running_redis(alone.folder) as redis,
        running_fake_service(alone.folder, INTERNAL_API_TOKEN=TOKEN) as engine_url,
    ):
        parts = {
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": redis.url,
            "INTERNAL_API_TOKEN": TOKEN,
            "WORKER_REMOTE_INFER_URL": engine_url,
        }
        yield SetUp(alone.folder, alone.settings | parts)


def test_a_bare_machine_is_well(alone: SetUp) -> None:
    report = alone.examine()
    assert report.status == "ok", report.checks
    assert report.exit_status == 0
    assert "folio-nano" in str(report.of("Model")["detail"])
    assert "16 pages at once" in str(report.of("Plan")["detail"])
    assert not (alone.folder / "data").exists()  # looking leaves nothing behind


def test_a_whole_set_up_is_well(whole: SetUp) -> None:
    report = whole.examine()
    assert report.status == "ok", report.checks
    names = [check["name"] for check in report.checks]
    parts = ["Database", "Tables", "Broker", "Storage", "Port", "Token", "Engine"]
    assert names == ["GPU", "Memory", "vLLM", "Model", "Plan", *parts]
    assert all(check["advice"] is None for check in report.checks)


def test_the_parts_of_a_set_up_fail_one_by_one(whole: SetUp, postgres_url: str) -> None:
    """Each is broken alone, so that the doctor must name it and nothing else."""
    empty = f"folio_doctor_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {empty}")
    closed = free_port()
    try:
        broken = {
            "Tables": whole.examine(DATABASE_URL=f"{postgres_url}/{empty}"),
            "Database": whole.examine(DATABASE_URL=f"postgresql://me:secret@{HOST}:{closed}/no"),
            "Broker": whole.examine(CELERY_BROKER_URL=f"redis://:secret@{HOST}:{closed}/0"),
            "Engine": whole.examine(INTERNAL_API_TOKEN="another-token-that-is-long"),
            "Token": whole.examine(INTERNAL_API_TOKEN="", WORKER_REMOTE_INFER_URL=""),
        }
    finally:
        execute(postgres_url, f"DROP DATABASE {empty} WITH (FORCE)")
    for name, report in broken.items():
        assert report.exit_status == 1, name
        assert report.names_of("failure") == [name], report.checks
        assert report.of(name)["advice"]
        assert "secret" not in json.dumps(report.checks)
    assert "folio migrate" in str(broken["Tables"].of("Tables")["advice"])
    assert "refuses the token" in str(broken["Engine"].of("Engine")["detail"])


def test_a_database_whose_name_is_gone_is_told(alone: SetUp) -> None:
    """As a container's is when it is stopped."""
    report = alone.examine(DATABASE_URL="postgresql://me:secret@nowhere.invalid/folio")
    assert report.names_of("failure") == ["Database"]
    assert "secret" not in json.dumps(report.checks)


def test_a_model_that_is_half_here_is_named(alone: SetUp) -> None:
    model = alone.folder / "model"
    write_small_checkpoint(model)
    data = (model / SHARD).read_bytes()
    (model / SHARD).write_bytes(data[:1000])
    report = alone.examine(MODEL_PATH=str(model))
    assert report.names_of("failure") == ["Model"]
    assert f"{SHARD} has 1,000 of {len(data):,} bytes" in str(report.of("Model")["detail"])
    assert report.exit_status == 1


def test_a_model_that_is_not_here_yet_is_a_warning_and_offline_a_failure(alone: SetUp) -> None:
    settings = {"MODEL_PATH": "someone/model", "MODEL_CACHE_DIR": str(alone.folder / "models")}
    report = alone.examine(**settings)
    assert (report.names_of("warning"), report.exit_status) == (["Model"], 0)
    assert "folio model download someone/model" in str(report.of("Model")["advice"])
    assert alone.examine(**settings, HF_HUB_OFFLINE="1").names_of("failure") == ["Model"]


def test_settings_that_do_not_go_together_are_told(alone: SetUp) -> None:
    report = alone.examine(MAX_MODEL_LEN="16384", QUANTIZATION="awq")
    assert report.names_of("failure") == ["Plan"]
    assert "the model knows 8192 positions" in str(report.of("Plan")["detail"])
    assert "QUANTIZATION" in str(report.of("Plan")["detail"])


def test_a_wrong_setting_is_named(alone: SetUp) -> None:
    report = alone.examine(PORT="80801")
    assert report.names_of("failure") == ["Settings"]
    assert "PORT='80801'" in str(report.of("Settings")["detail"])


def test_addresses_that_are_none_are_told_and_not_their_passwords(alone: SetUp) -> None:
    report = alone.examine(
        DATABASE_URL="postgresql://me:hunter2@host:port/folio",
        CELERY_BROKER_URL="redis://:hunter2@host:port/0",
        INTERNAL_API_TOKEN=TOKEN,
    )
    assert report.names_of("failure") == ["Database", "Broker"]
    assert "hunter2" not in json.dumps(report.checks)


def test_a_storage_that_cannot_be_written_is_told(alone: SetUp) -> None:
    (alone.folder / "file").write_text("no folder")
    report = alone.examine(DATA_DIR=str(alone.folder / "file" / "data"))
    assert report.names_of("failure") == ["Storage"]


def test_a_port_in_use_is_told_from_folio_itself(alone: SetUp) -> None:
    with socket.create_server((HOST, 0)) as other:
        other.settimeout(10)
        report = alone.examine(PORT=str(other.getsockname()[1]))
    assert report.names_of("failure") == ["Port"]
    assert "PORT" in str(report.of("Port")["advice"])
    with running_fake_service(alone.folder) as url:
        report = alone.examine(PORT=url.rsplit(":", 1)[1])
    assert report.status == "ok", report.checks
    assert "runs here, healthy" in str(report.of("Port")["detail"])


def test_a_card_that_the_cpu_build_leaves_idle_is_a_warning(alone: SetUp) -> None:
    """nvidia-smi is an edge: here it is a script that answers as on a machine with a card."""
    script = alone.folder / "bin" / "nvidia-smi"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho '0, GPU-1, NVIDIA L4, 580.95.05, 8.9, 23034, 22563'\n")
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    report = alone.examine(PATH=path)
    assert report.names_of("warning") == ["GPU"]
    assert "NVIDIA L4 (8.9), 22.0 of 22.5 GB free" in str(report.of("GPU")["detail"])
    assert "CUDA build" in str(report.of("GPU")["advice"])


def test_a_person_reads_marks_advice_and_a_sum(alone: SetUp) -> None:
    done = alone.run(INTERNAL_API_TOKEN="short", MAX_MODEL_LEN="16384", COLUMNS="100")
    lines = done.stdout.splitlines()
    assert any(line.startswith("  ✓  Model ") for line in lines)
    assert any(line.startswith("  !  Token ") for line in lines)
    assert any(line.startswith("  ✗  Plan ") for line in lines)
    assert any("→ Take a longer one" in line for line in lines)
    assert "One thing must be mended before Folio can work." in done.stdout
    assert done.returncode == 1


def test_where_there_is_no_utf8_the_marks_are_letters(alone: SetUp) -> None:
    done = alone.run(PYTHONIOENCODING="ascii", PORT="0")
    assert "NO  Settings" in done.stdout
    assert done.returncode == 1
