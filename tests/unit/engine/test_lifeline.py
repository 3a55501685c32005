"""Waits end with what they wait for."""

import asyncio

import pytest

from folio.engine.lifeline import Lifeline


async def wait_for_ever(lifeline: Lifeline) -> None:
    async with lifeline.held():
        await asyncio.Event().wait()


async def test_who_waits_is_told_when_it_is_cut() -> None:
    lifeline = Lifeline()
    waits = [asyncio.create_task(wait_for_ever(lifeline)) for _ in range(3)]
    await asyncio.sleep(0)
    lifeline.cut()
    for wait in waits:
        with pytest.raises(TimeoutError):
            await wait


async def test_who_comes_later_is_told_too() -> None:
    lifeline = Lifeline()
    lifeline.cut()
    with pytest.raises(TimeoutError):
        await wait_for_ever(lifeline)


async def test_what_comes_in_time_is_passed_on() -> None:
    lifeline = Lifeline()
    async with lifeline.held():
        await asyncio.sleep(0)
    lifeline.cut()


async def test_a_cancellation_stays_one() -> None:
    wait = asyncio.create_task(wait_for_ever(Lifeline()))
    await asyncio.sleep(0)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
