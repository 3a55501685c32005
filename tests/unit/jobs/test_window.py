import asyncio

from folio.jobs.window import Window


async def test_as_many_pages_enter_as_there_are_places() -> None:
    window = Window(max_pages=2, max_bytes=100)
    await window.enter()
    await window.enter()
    third = asyncio.create_task(window.enter())
    await asyncio.sleep(0)
    assert not third.done()

    window.leave(0)

    await asyncio.wait_for(third, 1)


async def test_heavy_pages_wait_for_room() -> None:
    window = Window(max_pages=9, max_bytes=100)
    for _ in range(2):
        await window.enter()
    await window.weigh(60)
    second = asyncio.create_task(window.weigh(60))
    await asyncio.sleep(0)
    assert not second.done()

    window.leave(60)

    await asyncio.wait_for(second, 1)


async def test_a_page_heavier_than_all_room_passes_alone() -> None:
    window = Window(max_pages=9, max_bytes=100)
    await window.enter()

    await asyncio.wait_for(window.weigh(1000), 1)
