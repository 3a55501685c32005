"""What the doctor says of cards and packages. nvidia-smi is an edge: here it is a script."""

import os
from pathlib import Path

import pytest

from folio.cli.doctor.check import Check, Status
from folio.cli.doctor.engine import EnginePackages, check_compiler, check_gpus, check_packages
from folio.cli.doctor.parts import check_broker
from folio.config import JobSettings, Settings

CPU = EnginePackages(cuda_build=None, cpu_build="0.32.0", torch="2.13.0+cpu")
CUDA = EnginePackages(cuda_build="0.32.0", cpu_build=None, torch="2.13.0")
NOTHING = EnginePackages(None, None, None)
L4 = "0, GPU-aaaa-1, NVIDIA L4, 570.12, 8.9, 23034, 22563"


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What nvidia-smi prints: write into it."""
    script = tmp_path / "bin" / "nvidia-smi"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/cards\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "cards"


def only(packages: EnginePackages) -> Check:
    (check,) = check_gpus(packages)
    return check


def test_a_card_that_torch_cannot_use_is_a_failure(cards: Path) -> None:
    """As with a driver that is too old; here torch has no CUDA at all."""
    cards.write_text(L4)
    check = only(CUDA)
    assert check.status is Status.FAILURE
    assert "finds no CUDA" in check.detail
    assert "Update NVIDIA's driver (570.12 is installed)" in str(check.advice)


def test_cards_that_are_hidden_are_told_from_none(
    cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.write_text(L4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    check = only(CUDA)
    assert check.status is Status.FAILURE
    assert "none of 1 card(s) is left by CUDA_VISIBLE_DEVICES" in check.detail


def test_the_cuda_build_without_a_card_is_a_failure(cards: Path) -> None:
    cards.write_text("")
    check = only(CUDA)
    assert check.status is Status.FAILURE
    assert "docker run --gpus all" in str(check.advice)


def test_a_worker_without_a_queue_is_a_failure() -> None:
    settings = Settings(jobs=JobSettings(celery_broker_url=None))
    assert check_broker(settings, is_worker=True).status is Status.FAILURE
    assert check_broker(settings, is_worker=False).status is Status.OK


def test_a_workers_card_is_nobodys_business(cards: Path) -> None:
    cards.write_text(L4)
    assert only(NOTHING).status is Status.OK


@pytest.mark.parametrize("version", ["0.26.0", "0.26.0rc1", "0.33.2", "0.32.0+cu129"])
def test_versions_that_folio_works_with(version: str) -> None:
    packages = EnginePackages(version, None, "2.13.0")
    assert check_packages(packages, is_worker=False).status is Status.OK


@pytest.mark.parametrize("version", ["0.25.1", "0.34.0", "1.0.0"])
def test_versions_that_it_does_not(version: str) -> None:
    check = check_packages(EnginePackages(version, None, "2.13.0"), is_worker=False)
    assert check.status is Status.FAILURE
    assert "0.26 to 0.33" in str(check.advice)


def test_the_gpu_engine_needs_a_compiler_and_the_others_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = check_compiler(CUDA)
    assert check.status is Status.FAILURE
    assert "Install gcc" in str(check.advice)
    assert not list(check_compiler(CPU))
    assert not list(check_compiler(NOTHING))


def test_a_compiler_without_pythons_headers_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "gcc")
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    (check,) = check_compiler(CUDA)
    assert check.status is Status.FAILURE
    assert "python3-dev" in str(check.advice)
    (tmp_path / "Python.h").touch()
    (check,) = check_compiler(CUDA)
    assert check.status is Status.OK


def test_a_service_needs_an_engine_and_a_worker_does_not() -> None:
    assert check_packages(NOTHING, is_worker=False).status is Status.FAILURE
    assert check_packages(NOTHING, is_worker=True).status is Status.OK
    assert check_packages(CPU, is_worker=False).status is Status.OK
