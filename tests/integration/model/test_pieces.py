"""What is written goes out in pieces: the first token at once, all of the rest, nothing twice."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch and vLLM warn of each other while they are imported
    from vllm.v1.engine import EngineCoreOutput

    from tests.integration.model.scheduler_runs import NUM_STEPS, Pages, make_scheduler

pytestmark = pytest.mark.filterwarnings("ignore")

PIECE = 10


def sizes(outputs: list[EngineCoreOutput], name: str) -> list[int]:
    return [len(output.new_token_ids) for output in outputs if output.request_id == name]


@pytest.mark.parametrize(("num_steps", "usual"), [(1, PIECE), (NUM_STEPS, 3 * NUM_STEPS)])
def test_an_answer_comes_in_pieces(num_steps: int, usual: int) -> None:
    pages = Pages(make_scheduler(num_steps=num_steps, tokens_per_piece=PIECE))
    pages.add("a", 40)
    pages.run()
    rest = 39 % usual
    assert sizes(pages.outputs, "a") == [1] + [usual] * (39 // usual) + [rest] * bool(rest)
    assert pages.written["a"] == list(range(1, 41))
    assert pages.outputs[-1].finish_reason is not None


@pytest.mark.parametrize("end", [1, 2, PIECE, PIECE + 1, PIECE + 2, 30])
def test_what_was_kept_back_comes_with_the_end(end: int) -> None:
    pages = Pages(make_scheduler(tokens_per_piece=PIECE))
    pages.add("a", 100, end=end)
    pages.add("b", 25)
    pages.run()
    assert pages.written == {"a": list(range(1, end + 1)), "b": list(range(1, 26))}


def test_pages_that_have_to_make_room_say_so_and_lose_nothing() -> None:
    pages = Pages(make_scheduler(num_blocks=11, tokens_per_piece=PIECE, log_stats=True))
    pages.add("a", 60)
    pages.add("b", 60)
    pages.run()
    assert pages.written == {name: list(range(1, 61)) for name in "ab"}
    events = [event.type.name for output in pages.outputs for event in output.events or []]
    assert events.count("PREEMPTED") == sum(len(p.preempted_req_ids or ()) for p in pages.plans) > 0


def test_of_a_page_that_is_given_up_nothing_is_kept() -> None:
    pages = Pages(make_scheduler(tokens_per_piece=PIECE))
    pages.add("b", 30)
    pages.add("a", 100)
    for _ in range(3):
        pages.step()
    pages.give_up("a")
    pages.run()  # "b": what had been planned for "a" ends meanwhile
    pages.add("a", 5)  # under the same name
    pages.run()
    assert pages.written == {"a": [1, 2, 3, 4, 5], "b": list(range(1, 31))}
