"""How much at once the service does of what it can do at once, and what keeps its answers quick."""

import gc
import inspect
import os
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from folio.api.app import num_parallel_decodes


@pytest.mark.parametrize(("num_cores", "wanted"), [(None, 4), (2, 4), (12, 12), (64, 16)])
def test_files_are_decoded_by_the_cores_there_are_within_limits(
    monkeypatch: pytest.MonkeyPatch, num_cores: int | None, wanted: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: num_cores)
    assert num_parallel_decodes() == wanted


def dependencies(of: Dependant) -> Iterator[Dependant]:
    for dependency in of.dependencies:
        yield dependency
        yield from dependencies(dependency)


def test_no_call_goes_through_a_thread_for_what_it_depends_on(app: FastAPI) -> None:
    """FastAPI runs plain functions in threads, which wait for those that work on pages."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    calls = {each.call for route in routes for each in dependencies(route.dependant)}
    assert calls
    assert [call for call in calls if not inspect.iscoroutinefunction(call)] == []


async def test_what_was_imported_is_no_work_for_the_garbage_collector(app: FastAPI) -> None:
    assert gc.get_freeze_count() > 0
    assert id(gc) not in {id(each) for each in gc.get_objects()}
