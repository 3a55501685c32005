"""Windows of decode steps: what is planned, what workers run, and what comes back of it."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch and vLLM warn of each other while they are imported
    from vllm.v1.outputs import AsyncModelRunnerOutput, ModelRunnerOutput

    from folio.model.windows import window_of
    from folio.model.worker import WindowOutput, later_step
    from tests.integration.model.scheduler_runs import (
        BLOCK_SIZE,
        MAX_MODEL_LEN,
        NUM_STEPS,
        Pages,
        make_scheduler,
    )

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_step_that_reads_a_page_is_one_step() -> None:
    pages = Pages(make_scheduler())
    pages.add("a", 20)
    assert window_of(pages.step()) == 1
    assert window_of(pages.step()) == NUM_STEPS
    pages.add("b", 20)
    assert window_of(pages.step()) == 1
    assert window_of(pages.step()) == NUM_STEPS


def test_without_windows_every_plan_is_one_step() -> None:
    pages = Pages(make_scheduler(num_steps=1))
    pages.add("a", 20)
    pages.run()
    assert {window_of(plan) for plan in pages.plans} == {1}


@pytest.mark.parametrize("max_tokens", range(1, 12))
def test_an_answer_has_the_tokens_that_it_may_have(max_tokens: int) -> None:
    pages = Pages(make_scheduler())
    pages.add("a", max_tokens)
    pages.run()
    assert pages.written["a"] == list(range(1, max_tokens + 1))
    assert pages.outputs[-1].finish_reason is not None


@pytest.mark.parametrize("end", range(2, 9))
def test_what_comes_after_the_end_within_a_window_is_dropped(end: int) -> None:
    pages = Pages(make_scheduler())
    pages.add("a", 100, end=end)
    pages.add("b", 30)
    pages.run()
    assert pages.written["a"] == list(range(1, end + 1))
    assert pages.written["b"] == list(range(1, 31))


def test_no_window_is_planned_for_a_page_that_has_all_its_tokens_on_the_way() -> None:
    pages = Pages(make_scheduler())
    pages.add("a", 1 + 2 * NUM_STEPS)
    pages.run()
    num_planned = sum(window_of(plan) for plan in pages.plans if plan.num_scheduled_tokens)
    assert num_planned == 1 + 2 * NUM_STEPS


def test_a_window_ends_before_the_longest_answer_does() -> None:
    pages = Pages(make_scheduler())
    pages.add("a", MAX_MODEL_LEN, num_prompt=MAX_MODEL_LEN - 10)
    pages.run()
    assert pages.written["a"] == list(range(1, 11))


def test_blocks_for_a_window_are_there_when_it_is_planned() -> None:
    scheduler = make_scheduler()
    pages = Pages(scheduler)
    pages.add("a", 200)
    (blocks,) = scheduler.kv_cache_manager.coordinator.single_type_managers
    for _ in range(40):
        pages.step()
        request = scheduler.requests["a"]
        assert len(blocks.req_to_blocks["a"]) * BLOCK_SIZE >= request.num_computed_tokens


def test_pages_that_have_to_make_room_lose_nothing() -> None:
    # Ten blocks hold two prompts of 40 tokens, and not both answers.
    pages = Pages(make_scheduler(num_blocks=11))
    pages.add("a", 60)
    pages.add("b", 60)
    pages.run()
    assert pages.written == {name: list(range(1, 61)) for name in "ab"}
    assert any(request_plan.preempted_req_ids for request_plan in pages.plans)


def test_a_page_that_is_given_up_within_a_window_leaves_nothing() -> None:
    pages = Pages(make_scheduler())
    pages.add("a", 100)
    pages.add("b", 10)
    for _ in range(3):
        pages.step()
    pages.give_up("a")
    pages.run()
    assert pages.written["b"] == list(range(1, 11))
    assert pages.scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == 999


def test_a_later_step_goes_on_where_the_first_ends() -> None:
    pages = Pages(make_scheduler())
    pages.add("a", 100)
    pages.add("b", 100)
    for _ in range(4):
        first = pages.step()
    step = later_step(first, 2)
    was, goes_on = first.scheduled_cached_reqs, step.scheduled_cached_reqs
    assert step.num_scheduled_tokens == {"a": 1, "b": 1}
    assert goes_on.req_ids == was.req_ids
    assert goes_on.num_computed_tokens == [n + 2 for n in was.num_computed_tokens]
    assert goes_on.new_block_ids == [None, None]
    assert not step.finished_req_ids


class Later(AsyncModelRunnerOutput):
    def __init__(self, output: ModelRunnerOutput) -> None:
        self._output = output

    def get_output(self) -> ModelRunnerOutput:
        return self._output


def test_the_tokens_of_a_window_come_back_as_one_list() -> None:
    places = {"a": 0, "b": 1}
    steps = [ModelRunnerOutput(["a", "b"], places, [[n], [10 * n]]) for n in (1, 2, 3)]
    window = WindowOutput([Later(steps[0]), steps[1], Later(steps[2])]).get_output()
    assert window.req_ids == ["a", "b"]
    assert window.sampled_token_ids == [[1, 2, 3], [10, 20, 30]]


def test_a_prompt_that_is_read_token_by_token_is_no_writing() -> None:
    scheduler = make_scheduler()
    pages = Pages(scheduler)
    pages.add("a", 100)
    pages.step()
    scheduler.scheduler_config.long_prefill_token_threshold = 1
    pages.add("b", 30, num_prompt=41)
    plans = [pages.step() for _ in range(40)]
    assert all(plan.num_scheduled_tokens["b"] == 1 for plan in plans)
    assert {window_of(plan) for plan in plans} == {1}
    pages.run()
    assert pages.written == {"a": list(range(1, 101)), "b": list(range(1, 31))}
