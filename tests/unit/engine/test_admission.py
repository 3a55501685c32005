"""The queue before the engine is bounded, and says when to come back."""

from contextlib import ExitStack

import pytest

from folio.engine.admission import Admission
from folio.errors import EngineOverloadedError


def test_requests_up_to_the_limit_are_admitted() -> None:
    admission = Admission(max_requests=3, num_parallel=1)
    with ExitStack() as places:
        for _ in range(3):
            places.enter_context(admission.admit())
        assert admission.num_requests == 3


def test_one_beyond_the_limit_is_refused_with_a_time_to_retry() -> None:
    admission = Admission(max_requests=1, num_parallel=1)
    with admission.admit(), pytest.raises(EngineOverloadedError) as refused:
        admission.admit().__enter__()
    assert refused.value.retry_after_seconds >= 1
    assert refused.value.retryable


def test_a_place_is_free_again_after_a_failure() -> None:
    admission = Admission(max_requests=1, num_parallel=1)
    with pytest.raises(ValueError, match="broken"), admission.admit():
        raise ValueError("broken")
    assert admission.num_requests == 0
    with admission.admit():
        assert admission.num_requests == 1
