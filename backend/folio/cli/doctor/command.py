"""`folio doctor` itself: settings, the checks in order, a report, an exit status."""

from collections.abc import Iterator

import typer
from pydantic import ValidationError
from rich.console import Console

from folio.cli.doctor.check import Check, Status, failure
from folio.cli.doctor.engine import (
    EnginePackages,
    check_compiler,
    check_gpus,
    check_memory,
    check_packages,
)
from folio.cli.doctor.model import check_model
from folio.cli.doctor.network import check_engines, check_port, check_token, find_running_service
from folio.cli.doctor.parts import check_broker, check_database, check_storage
from folio.cli.doctor.report import as_json, print_report, worst
from folio.config import Settings, wrong_settings


def doctor(*, is_json: bool) -> None:
    """Exit status 0 where nothing failed, else 1."""
    checks = list(diagnose())
    if is_json:
        print(as_json(checks))
    else:
        print_report(checks, Console())
    if worst(checks) is Status.FAILURE:
        raise typer.Exit(1)


def diagnose() -> Iterator[Check]:
    """All checks, or those of the settings where these are wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        for wrong in wrong_settings(error):
            yield failure("Settings", f"{wrong.name}={wrong.value}", f"{wrong.problem}.")
        return
    yield from _diagnose(settings)


def _diagnose(settings: Settings) -> Iterator[Check]:
    packages = EnginePackages.installed()
    is_worker = packages.vllm is None and settings.worker.worker_remote_infer_url is not None
    running = find_running_service(settings.server)
    yield from check_gpus(packages)
    yield check_memory()
    yield check_packages(packages, is_worker=is_worker)
    yield from check_compiler(packages)
    if not is_worker:
        has_cuda_build = packages.cuda_build is not None
        yield from check_model(
            settings.engine, has_cuda_build=has_cuda_build, is_running=running is not None
        )
    yield from check_database(settings)
    yield check_broker(settings, is_worker=is_worker)
    yield check_storage(settings)
    if not is_worker:
        yield check_port(settings.server, running)
    yield check_token(settings)
    yield from check_engines(settings)
