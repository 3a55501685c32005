"""/health asks often; the database and the broker are asked seldom, and never waited for long."""

import asyncio
import time

import pytest

from folio.jobs.readiness import Readiness

pytestmark = pytest.mark.alone


async def test_an_answer_holds_for_a_while() -> None:
    looks = []

    async def check() -> str | None:
        looks.append(1)
        return "It is down."

    readiness = Readiness(check, late="late")
    assert await readiness.find_problem() == "It is down."
    assert await readiness.find_problem() == "It is down."
    assert len(looks) == 1


async def test_an_old_answer_is_not_given() -> None:
    answers = iter(["It is down.", None])

    async def check() -> str | None:
        return next(answers)

    readiness = Readiness(check, late="late", keep_seconds=0)
    assert [await readiness.find_problem() for _ in range(2)] == ["It is down.", None]


async def test_who_does_not_answer_is_late_within_about_a_second() -> None:
    looks = []

    async def check() -> str | None:
        looks.append(1)
        await asyncio.sleep(60)
        return None

    readiness = Readiness(check, late="It does not answer.")
    began = time.monotonic()
    answers = await asyncio.gather(*(readiness.find_problem() for _ in range(20)))
    assert time.monotonic() - began < 2
    assert answers == ["It does not answer."] * 20
    assert len(looks) == 1
    await readiness.close()
