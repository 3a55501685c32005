"""What a GPU reads before anybody waits: full-size pages, alone and many at once."""

from folio.engine.warm_up import NUM_TOKENS, ROUNDS, warm_up_rounds
from folio.preprocessing.resolution import max_image_tokens

HALF_A_STEP = 8192


def test_there_is_a_round_of_one_page_and_one_of_more_than_half_a_step() -> None:
    rounds = list(warm_up_rounds())
    assert tuple(map(len, rounds)) == ROUNDS
    assert len(rounds[0]) == 1
    # The first page of a round may go before the others.
    num_tokens = sum(request.resolution.num_image_tokens for request in rounds[-1][1:])
    assert num_tokens > HALF_A_STEP
    assert rounds[0][0].resolution.num_image_tokens <= max_image_tokens(6)


def test_every_request_is_short_and_has_an_id_of_its_own() -> None:
    requests = [request for requests in warm_up_rounds() for request in requests]
    assert len({request.request_id for request in requests}) == len(requests)
    assert {request.max_tokens for request in requests} == {NUM_TOKENS}
