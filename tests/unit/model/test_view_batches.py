"""Views of a step share batches by size, within bounds, and come back in order."""

import torch

from folio.model.view_batches import encode_by_size


def stack(views, side, mark):
    return torch.full((views, 3, side, side), mark, dtype=torch.uint8)


def recording_encoder(batches):
    def encode(views):
        batches.append(tuple(views.shape[:1] + views.shape[-1:]))
        return views[:, :1, 0, :2].float()

    return encode


def test_views_of_one_size_share_a_batch_and_come_back_in_order():
    batches = []
    stacks = [stack(1, 64, 1), stack(1, 32, 2), stack(3, 32, 3), stack(1, 64, 4)]
    encoded = encode_by_size(recording_encoder(batches), stacks, max_pixels=64 * 64 * 10)
    assert batches == [(4, 32), (2, 64)]
    assert [tuple(part.shape) for part in encoded] == [(1, 1, 2), (1, 1, 2), (3, 1, 2), (1, 1, 2)]
    assert [part.unique().tolist() for part in encoded] == [[1], [2], [3], [4]]


def test_batches_stay_within_the_pixel_limit():
    batches = []
    encode_by_size(recording_encoder(batches), [stack(7, 32, 1)], max_pixels=32 * 32 * 3)
    assert batches == [(3, 32), (3, 32), (1, 32)]


def test_a_view_larger_than_the_limit_goes_alone():
    batches = []
    encode_by_size(recording_encoder(batches), [stack(2, 64, 1)], max_pixels=10)
    assert batches == [(1, 64), (1, 64)]
