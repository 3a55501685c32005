"""Pages enter a busy engine together, and none waits for long."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from folio.engine.page_groups import PageGroups

ETERNITY = 60.0


async def enter(groups: PageGroups, leave: asyncio.Event, inside: set[int], number: int) -> None:
    async with groups.enter():
        inside.add(number)
        await leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def inside() -> set[int]:
    return set()


async def test_an_engine_that_is_not_busy_takes_a_page_at_once() -> None:
    groups = PageGroups(8, busy_from=2, patience_seconds=ETERNITY)
    async with AsyncExitStack() as stack:
        await asyncio.wait_for(stack.enter_async_context(groups.enter()), 1)
        await asyncio.wait_for(stack.enter_async_context(groups.enter()), 1)


async def test_a_busy_engine_takes_pages_when_the_group_is_full(inside: set[int]) -> None:
    groups, leave = PageGroups(3, busy_from=0, patience_seconds=ETERNITY), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(enter(groups, leave, inside, number))
        await settle()
        assert inside == set()
        for number in range(2, 4):
            tasks.create_task(enter(groups, leave, inside, number))
        await settle()
        assert inside == {0, 1, 2}
        for number in range(4, 6):
            tasks.create_task(enter(groups, leave, inside, number))
        await settle()
        assert inside == {0, 1, 2, 3, 4, 5}
        leave.set()


async def test_a_page_whose_group_does_not_fill_goes_alone(inside: set[int]) -> None:
    groups = PageGroups(8, busy_from=0, patience_seconds=0.01)
    for number in range(3):
        async with asyncio.timeout(1), groups.enter():
            inside.add(number)
    assert inside == {0, 1, 2}


async def test_a_page_that_is_given_up_counts_no_longer(inside: set[int]) -> None:
    groups, leave = PageGroups(2, busy_from=0, patience_seconds=ETERNITY), asyncio.Event()
    given_up = asyncio.create_task(enter(groups, leave, inside, 0))
    await settle()
    given_up.cancel()
    await asyncio.wait([given_up])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(enter(groups, leave, inside, 1))
        await settle()
        assert inside == set()
        tasks.create_task(enter(groups, leave, inside, 2))
        await settle()
        assert inside == {1, 2}
        leave.set()


async def test_who_leaves_makes_room(inside: set[int]) -> None:
    groups, leave = PageGroups(8, busy_from=1, patience_seconds=ETERNITY), asyncio.Event()
    first = asyncio.create_task(enter(groups, leave, inside, 0))
    await settle()
    leave.set()
    await first
    async with asyncio.timeout(1), groups.enter():
        pass
