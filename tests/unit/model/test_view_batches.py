"""Pages of a step share batches by view size, within bounds, and each gets its own tokens back."""

import numpy as np
import pytest
import torch

from folio.model.resampling import make_device_views
from folio.model.view_batches import ViewStacks, embed_pages, even_batches
from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import make_views

NEWLINE, SEPARATOR = -1.0, -2.0
NO_LIMIT = 10**12
MODES = [Mode.GUNDAM, Mode.TINY, Mode.GUNDAM, Mode.BASE, Mode.SMALL]
SIZES = [(700, 1280), (600, 500), (700, 1280), (1300, 700), (1, 1)]


def random_page(width, height, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def mean_colours(views):
    """An encoder whose token is the mean colour of its 64 x 64 pixels."""
    return torch.nn.functional.avg_pool2d(views.float(), 64).flatten(2).transpose(1, 2)


def embed(pages, resolutions, encode=mean_colours, max_pixels=NO_LIMIT):
    return embed_pages(
        encode,
        pages,
        resolutions,
        image_newline=torch.full((3,), NEWLINE),
        view_seperator=torch.full((3,), SEPARATOR),
        max_pixels=max_pixels,
    )


def as_it_is(page, resolution):
    return [torch.from_numpy(page)]


def as_views(page, resolution):
    views = make_views(page, resolution)
    return [views.global_view, views.local_views]


def mixed_step(form):
    resolutions = [resolve(mode, *size) for mode, size in zip(MODES, SIZES, strict=True)]
    pages = [random_page(*size, seed) for seed, size in enumerate(SIZES)]
    return [form(*pair) for pair in zip(pages, resolutions, strict=True)], resolutions


@pytest.mark.parametrize("form", [as_it_is, as_views])
def test_a_page_gets_the_same_tokens_among_others_as_alone(form):
    pages, resolutions = mixed_step(form)
    together = embed(pages, resolutions)
    for tokens, page, resolution in zip(together, pages, resolutions, strict=True):
        (alone,) = embed([page], [resolution])
        assert tokens.shape == (resolution.num_image_tokens, 3)
        assert torch.equal(tokens, alone)


def test_pages_as_they_are_and_views_may_come_in_one_step():
    whole, resolutions = mixed_step(as_it_is)
    views, _ = mixed_step(as_views)
    mixed = [views[0], whole[1], whole[2], views[3], whole[4]]
    for tokens, expected in zip(embed(mixed, resolutions), embed(whole, resolutions), strict=True):
        torch.testing.assert_close(tokens, expected, atol=1, rtol=0)


def test_tokens_stand_in_the_decoders_order():
    (page,), (resolution,) = (
        [as_it_is(random_page(700, 1280, 0), None)],
        [resolve(Mode.GUNDAM, 700, 1280)],
    )
    (tokens,) = embed([page], [resolution])
    whole, local = make_device_views(page[0][None], resolution)
    assert torch.equal(tokens[:10], mean_colours(local)[0, :10])
    assert (tokens[10] == NEWLINE).all()
    assert torch.equal(tokens[110:120], mean_colours(local)[1, :10])
    assert torch.equal(tokens[220:236], mean_colours(whole)[0, :16])
    assert (tokens[-1] == SEPARATOR).all()


def test_views_of_one_side_share_a_batch():
    shapes = []

    def encode(views):
        shapes.append(tuple(views.shape))
        return mean_colours(views)

    pages, resolutions = mixed_step(as_it_is)
    embed(pages, resolutions, encode)
    assert shapes == [(1, 3, 512, 512), (5, 3, 640, 640), (3, 3, 1024, 1024)]


def test_batches_are_of_one_size_and_within_the_limit():
    sizes = [len(batch) for batch in even_batches(torch.zeros(18, 3, 8, 8), 16 * 8 * 8)]
    assert sizes == [9, 9]


def test_a_view_larger_than_the_limit_goes_alone():
    assert [len(batch) for batch in even_batches(torch.zeros(2, 3, 8, 8), 10)] == [1, 1]


def test_a_step_without_local_views_has_no_empty_batch():
    stacks = ViewStacks()
    stacks.add(torch.zeros(0, 3, 640, 640, dtype=torch.uint8))
    tokens, starts = stacks.encode(mean_colours, max_pixels=NO_LIMIT)
    assert tokens == []
    assert starts == {640: 0}
