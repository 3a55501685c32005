"""How much at once the service does of what it can do at once."""

import os

import pytest

from folio.api.app import num_parallel_decodes


@pytest.mark.parametrize(("num_cores", "wanted"), [(None, 4), (2, 4), (12, 12), (64, 16)])
def test_files_are_decoded_by_the_cores_there_are_within_limits(
    monkeypatch: pytest.MonkeyPatch, num_cores: int | None, wanted: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: num_cores)
    assert num_parallel_decodes() == wanted
