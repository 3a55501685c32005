"""What a GPU reads before anybody waits: full-size pages, alone and many at once."""

from itertools import chain

from folio.engine.warm_up import NUM_TOKENS, ROUNDS, warm_up_rounds
from folio.preprocessing.resolution import max_image_tokens

HALF_A_STEP = 8192


def test_there_is_a_round_of_one_page_and_one_of_more_than_half_a_step() -> None:
    rounds = list(warm_up_rounds(max_crops=6, most=256))
    assert tuple(map(len, rounds)) == ROUNDS
    assert len(rounds[0]) == 1
    # The first page of a round may go before the others.
    num_tokens = sum(request.resolution.num_image_tokens for request in rounds[-1][1:])
    assert num_tokens > HALF_A_STEP
    assert rounds[0][0].resolution.num_image_tokens <= max_image_tokens(6)


def test_every_request_is_short_and_has_an_id_of_its_own() -> None:
    requests = list(chain.from_iterable(warm_up_rounds(max_crops=6, most=256)))
    assert len({request.request_id for request in requests}) == len(requests)
    assert {request.max_tokens for request in requests} == {NUM_TOKENS}


def test_settings_bound_what_is_read() -> None:
    alone, together = warm_up_rounds(max_crops=2, most=5)
    assert (len(alone), len(together)) == (1, 5)
    assert together[0].resolution.crop_grid.num_views <= 2
