"""./start-vllm-direct.sh on machines with and without Docker and a GPU: what it does there."""

import re
import stat
from pathlib import Path

import pytest

from tests.unit.deployment.env_file import read_env_file
from tests.unit.deployment.stand_ins import Machine, make_machine

SECRETS = ("INTERNAL_API_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
LOCALLY_ON = {
    device: [f"install.sh {device} on 8001", "build-page.sh  on 8001", "folio serve on 8001"]
    for device in ("cpu", "gpu")
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With Docker and a GPU."""
    return make_machine(tmp_path, has_docker=True, has_gpu=True)


def test_with_docker_and_a_gpu_it_starts_the_stack_and_waits_for_it(machine: Machine) -> None:
    done = machine.start()
    assert done.returncode == 0, done.stderr
    health = "gpu: compose exec -T backend-direct folio health"
    assert machine.calls() == [
        "gpu,cpu: compose rm --stop --force backend-cpu",
        "gpu: compose up --detach --build",
        health,
        health,
    ]
    assert "starting: DeepSeek-OCR" in done.stdout
    assert "http://localhost:8001 " in done.stdout


def test_the_first_start_makes_env_with_fresh_secrets_for_the_owner_only(machine: Machine) -> None:
    machine.start()
    variables = read_env_file(machine.env_file)
    secrets = {variables[name].value for name in SECRETS}
    assert len(secrets) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in secrets)
    assert variables["COMPOSE_PROFILES"].value == "gpu"
    assert stat.S_IMODE(machine.env_file.stat().st_mode) == 0o600
    assert not any(secret in call for secret in secrets for call in machine.calls())


def test_all_else_in_env_is_as_in_the_file_it_comes_from(machine: Machine) -> None:
    machine.start()
    made, template = read_env_file(machine.env_file), read_env_file()
    assert list(made) == list(template)
    changed = {name for name in made if made[name] != template[name]}
    assert changed == set(SECRETS)


def test_two_machines_have_different_secrets(tmp_path: Path) -> None:
    tokens = set()
    for name in ("one", "two"):
        machine = make_machine(tmp_path / name, has_docker=True, has_gpu=True)
        machine.start()
        tokens.add(read_env_file(machine.env_file)["INTERNAL_API_TOKEN"].value)
    assert len(tokens) == 2


def test_an_env_file_that_is_there_is_never_overwritten(machine: Machine) -> None:
    machine.env_file.write_text("INTERNAL_API_TOKEN=mine\nPORT=9000\n")
    done = machine.start()
    assert done.returncode == 0, done.stderr
    assert machine.env_file.read_text() == "INTERNAL_API_TOKEN=mine\nPORT=9000\n"
    assert "http://localhost:9000 " in done.stdout


@pytest.mark.parametrize("line", ['PORT="9000"', "PORT='9000'", "PORT=9000  # ours", "PORT=9000\r"])
def test_a_setting_is_read_as_compose_reads_it(machine: Machine, line: str) -> None:
    machine.env_file.write_text(f"INTERNAL_API_TOKEN=mine\n{line}\n")
    assert "http://localhost:9000 " in machine.start().stdout


def test_an_old_driver_is_told_before_anything_starts(machine: Machine) -> None:
    (machine.answers / "driver").write_text("535.183.01\n")
    done = machine.start()
    assert done.returncode == 1
    assert "535.183.01 is too old: the image needs 580" in done.stderr
    assert machine.calls() == []


def test_an_image_with_cuda_12_takes_an_older_driver(machine: Machine) -> None:
    (machine.answers / "driver").write_text("535.183.01\n")
    machine.env_file.write_text("VLLM_VERSION=0.32.0-cu129\n")
    assert machine.start().returncode == 0


def test_a_missing_container_toolkit_is_named(machine: Machine) -> None:
    (machine.answers / "info").write_text("Runtimes: runc\n")
    assert "install nvidia-container-toolkit" in machine.start().stdout


def test_a_docker_that_says_much_is_heard_to_its_end(machine: Machine) -> None:
    """It must not be cut off in the middle, which would look like a Docker that failed."""
    (machine.answers / "info").write_text("Runtimes: nvidia runc\n" + "and more\n" * 100_000)
    done = machine.start()
    assert done.returncode == 0, done.stderr
    assert "nvidia-container-toolkit" not in done.stdout


def test_several_cards_are_told_in_one_line(machine: Machine) -> None:
    (machine.answers / "driver").write_text("580.65.06\n580.65.06\n")
    assert "Folio: NVIDIA driver 580.65.06: NVIDIA L4, 23034 MiB\n" in machine.start().stdout


def test_a_service_that_cannot_start_ends_the_script_with_its_reason(machine: Machine) -> None:
    (machine.answers / "health").write_text(
        "starting: some/model\nunhealthy: some/model is no folder.\n"
    )
    done = machine.start()
    assert done.returncode == 1
    assert "some/model is no folder." in done.stderr
    assert machine.calls()[-1] == "gpu: compose logs --tail 40 backend-direct"


def test_a_set_up_that_cannot_work_ends_the_script_at_once(machine: Machine) -> None:
    reason = (
        "Set DTYPE to auto. Folio does not try again by itself: mend it, then start Folio anew."
    )
    (machine.answers / "health").write_text(f"unhealthy: {reason}\nstarting: some/model\n")
    done = machine.start()
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_start_that_takes_too_long_ends_the_script(machine: Machine) -> None:
    (machine.answers / "health").write_text("starting: some/model\n")
    done = machine.start(START_TIMEOUT_SECONDS="0")
    assert done.returncode == 1
    assert "not healthy within 0 seconds" in done.stderr


def test_cpu_with_docker_starts_the_cpu_profile_and_stops_the_gpu_one(machine: Machine) -> None:
    done = machine.start("--cpu")
    assert done.returncode == 0, done.stderr
    assert machine.calls()[:2] == [
        "gpu,cpu: compose rm --stop --force backend-direct",
        "cpu: compose up --detach --build",
    ]
    assert read_env_file(machine.env_file)["COMPOSE_PROFILES"].value == "cpu"


def test_no_build_starts_the_images_that_are_there(machine: Machine) -> None:
    assert machine.start("--no-build").returncode == 0
    assert "gpu: compose up --detach --no-build" in machine.calls()


def test_local_runs_without_containers_on_the_gpu(machine: Machine) -> None:
    assert machine.start("--local").returncode == 0
    assert machine.calls() == LOCALLY_ON["gpu"]
    assert not machine.env_file.exists()


def test_local_and_cpu_leave_gpu_and_docker_alone(machine: Machine) -> None:
    assert machine.start("--local", "--cpu").returncode == 0
    assert machine.calls() == LOCALLY_ON["cpu"]


def test_without_a_gpu_it_runs_locally_though_docker_is_there(tmp_path: Path) -> None:
    machine = make_machine(tmp_path, has_docker=True, has_gpu=False)
    done = machine.start()
    assert done.returncode == 0
    assert "there is no nvidia-smi" in done.stdout
    assert "--cpu starts them" in done.stdout
    assert machine.calls() == LOCALLY_ON["cpu"]


def test_a_gpu_whose_driver_fails_is_told_and_not_taken_for_none(machine: Machine) -> None:
    program = machine.folder / "bin" / "nvidia-smi"
    program.write_text("#!/bin/bash\necho 'Driver/library version mismatch'\nexit 18\n")
    done = machine.start()
    assert "nvidia-smi -L: Driver/library version mismatch" in done.stdout
    assert machine.calls() == LOCALLY_ON["cpu"]


@pytest.mark.parametrize("words", [(), ("--cpu",)])
def test_on_a_bare_machine_it_runs_locally(tmp_path: Path, words: tuple[str, ...]) -> None:
    machine = make_machine(tmp_path, has_docker=False, has_gpu=False)
    assert machine.start(*words).returncode == 0
    assert machine.calls() == LOCALLY_ON["cpu"]


def test_a_gpu_without_docker_is_used_locally_and_the_reason_told(tmp_path: Path) -> None:
    machine = make_machine(tmp_path, has_docker=False, has_gpu=True)
    done = machine.start()
    assert "Docker is not installed, so Folio runs without containers" in done.stdout
    assert machine.calls() == LOCALLY_ON["gpu"]


def test_a_docker_that_does_not_answer_is_told(machine: Machine) -> None:
    (machine.answers / "no-daemon").touch()
    done = machine.start()
    assert "Docker does not answer" in done.stdout
    assert machine.calls() == LOCALLY_ON["gpu"]


@pytest.mark.parametrize(
    ("word", "call"),
    [
        ("--down", "gpu,cpu: compose down"),
        ("--logs", "gpu,cpu: compose logs --follow --tail 100"),
    ],
)
def test_down_and_logs_are_for_both_profiles(machine: Machine, word: str, call: str) -> None:
    machine.env_file.write_text("INTERNAL_API_TOKEN=mine\n")
    assert machine.start(word).returncode == 0
    assert machine.calls() == [call]


def test_down_without_a_stack_says_so(machine: Machine) -> None:
    done = machine.start("--down")
    assert done.returncode == 1
    assert "no containers were started from here" in done.stderr


def test_an_unknown_option_starts_nothing(machine: Machine) -> None:
    assert machine.start("--gpu").returncode == 2
    assert machine.calls() == []


def test_help_is_the_head_of_the_script(machine: Machine) -> None:
    done = machine.start("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Starts Folio on this machine.")
    for word in ("--local", "--cpu", "--down", "--logs"):
        assert word in done.stdout
