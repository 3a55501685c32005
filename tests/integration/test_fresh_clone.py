"""The README's first command as a newcomer runs it: in a fresh clone, with an empty HOME."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.postgres import free_port
from tests.programs import Program, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALL_AND_START_SECONDS = 900


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    path = tmp_path / "folio"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{CHECKOUT}", path], check=True)
    return path


def caches() -> dict[str, str]:
    """What pip and npm downloaded on this machine may be used again; nothing else is shared."""
    pip = [sys.executable, "-m", "pip", "cache", "dir"]
    folder = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.strip()
    return {"PIP_CACHE_DIR": folder, "npm_config_cache": str(Path.home() / ".npm")}


def bytecode() -> dict[str, str]:
    """Python makes it of what it imports. Pip would make it of all files that it installs, which is
    a fifth of what this test takes and shows nothing."""
    return {"PIP_COMPILE": "0", "PYTHONDONTWRITEBYTECODE": ""}


def press_ctrl_c(program: Program) -> int:
    """Gives the exit status."""
    assert program.process is not None
    program.process.send_signal(signal.SIGINT)
    return program.process.wait(60)


@pytest.mark.engine
@pytest.mark.timeout(INSTALL_AND_START_SECONDS + 120)
def test_the_start_script_in_a_fresh_clone_with_an_empty_home_reads_a_page(
    clone: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = f"http://127.0.0.1:{(port := free_port())}"
    program = Program(
        [clone / "start-vllm-direct.sh", "--local", "--cpu"],
        log_path=tmp_path / "start.log",
        environment={"HOME": str(home), "PORT": str(port), **caches(), **bytecode()},
    )

    def is_healthy() -> bool:
        assert program.process is not None
        assert program.process.poll() is None, f"it has ended:\n{program.log()}"
        try:
            return httpx.get(f"{url}/health", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    program.start()
    try:
        wait_until(is_healthy, seconds=INSTALL_AND_START_SECONDS, pause_seconds=0.5)
        with (clone / "docs" / "example.png").open("rb") as image:
            answer = httpx.post(f"{url}/api/ocr/image", files={"image": image}, timeout=120)
        page = httpx.get(url, timeout=10)
        exit_status = press_ctrl_c(program)
    finally:
        program.stop()

    assert answer.json()["markdown"].startswith("# Opening hours"), answer.text
    assert (clone / "data").is_dir()
    assert page.status_code == (200 if shutil.which("node") else 404)
    assert exit_status in {0, 130}  # 130: ended by Ctrl-C, as shells say it
    assert not (clone / ".env").exists(), "secrets are for containers"
