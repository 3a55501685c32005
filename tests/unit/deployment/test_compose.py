"""docker-compose.yml: valid, without default secrets, and closed but for the API's port."""

import re
import subprocess
import sys
from typing import Any

import yaml

from tests.unit.deployment.env_file import CHECKOUT, read_env_file

COMPOSE_FILE = CHECKOUT / "docker-compose.yml"
TEXT = COMPOSE_FILE.read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)([^}]*)\}")


def test_it_keeps_to_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(COMPOSE_FILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_that_it_uses_stands_in_the_env_file() -> None:
    used = {name for name, _ in VARIABLE.findall(TEXT)}
    assert sorted(used - set(read_env_file())) == []


def test_its_defaults_are_those_that_the_env_file_names() -> None:
    defaults = {name: rest[2:] for name, rest in VARIABLE.findall(TEXT) if rest.startswith(":-")}
    named = {name: item.value for name, item in read_env_file().items()}
    assert defaults == {name: named[name] for name in defaults}


def test_a_missing_secret_stops_the_stack_and_none_has_a_default() -> None:
    for name, rest in VARIABLE.findall(TEXT):
        if name.endswith(("_TOKEN", "_PASSWORD")):
            assert rest.startswith(":?"), f"{name}{rest}"
    assert {name for name, rest in VARIABLE.findall(TEXT) if rest.startswith(":?")} == {
        "INTERNAL_API_TOKEN",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
    }


def test_only_the_apis_port_is_published() -> None:
    published = {name for name, service in SERVICES.items() if "ports" in service}
    assert published == {"backend-direct", "backend-cpu"}
    ports = {port for name in published for port in SERVICES[name]["ports"]}
    assert ports == {"${PUBLISH_ADDRESS:-0.0.0.0}:${PORT:-8001}:8001"}


def test_database_and_queue_are_on_a_network_without_the_outside() -> None:
    assert yaml.safe_load(TEXT)["networks"]["inner"] == {"internal": True}
    for name in ("postgres", "redis", "migrate", "worker"):
        assert SERVICES[name]["networks"] == ["inner"]


def test_the_gpu_is_reserved_by_its_id_and_the_cpu_profile_asks_for_none() -> None:
    with_gpu = [name for name, service in SERVICES.items() if "nvidia" in str(service)]
    assert with_gpu == ["backend-direct"]
    resources = SERVICES["backend-direct"]["deploy"]["resources"]
    assert resources["reservations"]["devices"] == [
        {"driver": "nvidia", "device_ids": ["${GPU_DEVICE_ID:-0}"], "capabilities": ["gpu"]}
    ]
    assert SERVICES["backend-direct"]["profiles"] == ["gpu"]


def test_the_cpu_profile_serves_the_small_model_under_the_engines_name() -> None:
    service = SERVICES["backend-cpu"]
    assert service["profiles"] == ["cpu"]
    assert service["build"]["target"] == "cpu"
    assert service["environment"]["MODEL_PATH"] == ""
    assert service["networks"]["inner"] == {"aliases": ["backend-direct"]}
    assert service["environment"]["WORKER_REMOTE_INFER_URL"] == "http://backend-direct:8001"


def test_nothing_starts_before_what_it_needs_is_well() -> None:
    def needs(name: str) -> dict[str, str]:
        return {key: item["condition"] for key, item in SERVICES[name]["depends_on"].items()}

    everything = {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert needs("backend-direct") == needs("backend-cpu") == needs("worker") == everything
    assert needs("migrate") == {"postgres": "service_healthy"}
    for name in ("backend-direct", "backend-cpu", "worker", "postgres", "redis"):
        assert SERVICES[name]["healthcheck"]["test"]


def test_uploads_and_results_are_one_volume_of_service_and_workers() -> None:
    for name in ("backend-direct", "backend-cpu", "worker"):
        assert "results:/data" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"]["DATA_DIR"] == "/data"
    assert set(yaml.safe_load(TEXT)["volumes"]) == {"model-cache", "results", "database"}


def test_each_image_is_built_for_one_service_alone() -> None:
    """Compose builds all at once, and two builds of one name fail ("already exists"). The others
    that use it start after the one that it is built for, and never ask a registry for it."""
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert sorted(built) == ["folio:cpu", "folio:gpu", "folio:worker"]
    for service in SERVICES.values():
        if service["image"] in built and "build" not in service:
            builders = [
                n for n, s in SERVICES.items() if s["image"] == service["image"] and "build" in s
            ]
            assert set(builders) <= set(service["depends_on"])
            assert service["pull_policy"] == "never"


def test_workers_can_be_scaled() -> None:
    worker = SERVICES["worker"]
    assert worker["deploy"] == {"replicas": "${WORKER_REPLICAS:-1}"}
    assert not {"container_name", "ports", "hostname"} & set(worker)


def test_the_image_is_built_on_the_vllm_that_is_locked() -> None:
    lock = (CHECKOUT / "requirements" / "gpu.txt").read_text()
    locked = re.search(r"^vllm==(\S+)", lock, re.MULTILINE)
    dockerfile = (CHECKOUT / "Dockerfile.vllm-direct").read_text()
    assert locked is not None
    assert f"ARG VLLM_VERSION={locked[1]}\n" in dockerfile
    assert SERVICES["backend-direct"]["build"]["args"] == {
        "VLLM_VERSION": f"${{VLLM_VERSION:-{locked[1]}}}"
    }
