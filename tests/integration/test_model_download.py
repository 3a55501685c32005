"""`folio model download`, as an operator runs it, from a hub on this machine."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from folio.config import EngineSettings
from tests.hub import COMMIT, ModelHub, running_hub
from tests.programs import wait_until
from tests.service import Service, running_service
from tests.small_checkpoint import SHARD, write_small_checkpoint

MODEL_ID = "someone/model"
FOLIO = Path(sys.executable).with_name("folio")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ModelHub]:
    write_small_checkpoint(tmp_path / "hub")
    with running_hub(ModelHub(MODEL_ID, tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def environment(hub: ModelHub, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "HF_ENDPOINT": hub.url,
        "MODELSCOPE_ENDPOINT": hub.url,
        "MODEL_CACHE_DIR": str(tmp_path / "models"),
        "HF_HOME": str(tmp_path / "hugging-face"),
    }


def told(service: Service) -> object:
    """The reason in /health, once it answers."""
    try:
        return service.health().json().get("reason")
    except httpx.TransportError:
        return None


def run(
    *arguments: str, environment: dict[str, str], **changes: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FOLIO, "model", "download", *arguments],
        env=environment | changes,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.engine
def test_the_service_tells_how_far_a_download_is(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    """And can be stopped meanwhile."""
    hub.break_after_bytes[SHARD] = [25_000, *[0] * 100]
    names = ("HF_ENDPOINT", "MODEL_CACHE_DIR", "HF_HOME")
    settings = {name: environment[name] for name in names}
    with running_service(tmp_path, MODEL_PATH=MODEL_ID, **settings) as service:
        wait_until(lambda: "being downloaded" in str(told(service)), seconds=60)
        assert service.health().status_code == 503
        asked_at = time.monotonic()
        service.process.terminate()
        service.process.wait(60)
    assert time.monotonic() - asked_at < 30
    assert "Traceback" not in service.log()


@pytest.mark.parametrize("name", ["huggingface", "modelscope"])
def test_a_model_comes_from_either_hub_and_says_how_to_serve_it(
    environment: dict[str, str], tmp_path: Path, name: str
) -> None:
    done = run(MODEL_ID, "--from", name, environment=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / MODEL_ID / SHARD).is_file()
    assert f"MODEL_PATH={MODEL_ID}" in done.stdout


def test_a_terminal_shows_a_bar(environment: dict[str, str]) -> None:
    terminal, its_end = pty.openpty()
    command = [FOLIO, "model", "download", MODEL_ID]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=its_end)
    os.close(its_end)
    said = read_all(terminal)
    assert process.wait(30) == 0, said
    assert "━" in said
    assert "kB" in said


def read_all(terminal: int) -> str:
    data = b""
    with suppress(OSError):  # how Linux tells that the other side has closed it
        while more := os.read(terminal, 65536):
            data += more
    os.close(terminal)
    return data.decode(errors="replace")


def test_the_model_of_the_settings_goes_to_a_folder_of_choice(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    done = run("--to", str(folder), environment=environment, MODEL_PATH=MODEL_ID)
    assert done.returncode == 0, done.stderr
    assert (folder / SHARD).is_file()
    assert f"MODEL_PATH={folder}" in done.stdout


def test_what_is_no_id_is_told(environment: dict[str, str]) -> None:
    done = run(environment=environment, MODEL_PATH="")
    assert done.returncode == 2
    assert "folio model download owner/name" in done.stdout


def test_a_download_that_fails_says_why(environment: dict[str, str]) -> None:
    done = run("someone/else", environment=environment)
    assert done.returncode == 1
    assert "Check the model's id" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_download_goes_on_where_it_was(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.break_after_bytes[SHARD] = [25_000, *[0] * 100]  # and then the line is dead
    command = [FOLIO, "model", "download", MODEL_ID]
    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(hub.ranges_of(SHARD)) >= 2, seconds=60)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert not (tmp_path / "models" / MODEL_ID / SHARD).exists()
    hub.break_after_bytes.clear()
    hub.requests.clear()
    assert run(MODEL_ID, environment=environment).returncode == 0
    assert hub.ranges_of(SHARD) == ["bytes=25000-"]


def test_the_engine_is_given_the_folder_that_a_hub_id_was_downloaded_to(
    hub: ModelHub, tmp_path: Path
) -> None:
    """At the start of the service, without a command before it; half of it was there."""
    from folio.engine.vllm_arguments import engine_arguments

    settings = EngineSettings(
        model_path=MODEL_ID, hf_endpoint=hub.url, model_cache_dir=tmp_path / "models"
    )
    folder = tmp_path / "models" / MODEL_ID
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes((hub.folder / "config.json").read_bytes())
    news: list[str] = []
    arguments = engine_arguments(settings, news.append)
    assert arguments["model"] == str(folder)
    assert arguments["served_model_name"] == MODEL_ID
    assert (folder / SHARD).is_file()
    assert "The model is being downloaded: 0.00 of 0.00 GB" in news
    hub.requests.clear()
    engine_arguments(settings, news.append)
    assert hub.requests == []


def test_what_hugging_faces_own_cache_holds_is_served_from_there(
    environment: dict[str, str], tmp_path: Path
) -> None:
    cached = tmp_path / "hugging-face" / "hub" / "models--someone--model"
    write_small_checkpoint(cached / "snapshots" / COMMIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT)
    offline = {"MODEL_PATH": MODEL_ID, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [FOLIO, "plan", "--card-gb", "24"],
        env=environment | offline,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert f"{MODEL_ID} on a card of 24 GB" in done.stdout
