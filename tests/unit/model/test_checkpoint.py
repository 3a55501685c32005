"""What a checkpoint must hold, and what is said when it does not."""

import math

import pytest
import torch

from folio.model.checkpoint import UNUSED_TENSOR, checked
from tests.integration.model.checkpoints import published_config, shapes_of

EXPECTED = {"a.weight": (2, 3), "b.weight": (4,), "c.weight": (1,)}


def tensors(*names):
    return [(name, torch.zeros(EXPECTED[name])) for name in names]


def test_the_published_checkpoint_has_its_published_size():
    shapes = shapes_of(published_config())
    assert len(shapes) == 2710
    assert sum(math.prod(shape) for shape in shapes.values()) == 3_336_106_240


def test_complete_weights_pass():
    names = [name for name, _ in checked(tensors(*EXPECTED), EXPECTED)]
    assert names == list(EXPECTED)


def test_the_unused_tensor_is_left_out():
    weights = [*tensors(*EXPECTED), (UNUSED_TENSOR, torch.zeros(1))]
    assert UNUSED_TENSOR not in dict(checked(weights, EXPECTED))


def test_a_missing_tensor_is_named():
    with pytest.raises(ValueError, match=r"lacks 1 tensor\(s\): b\.weight"):
        list(checked(tensors("a.weight", "c.weight"), EXPECTED))


def test_an_unknown_tensor_is_named():
    weights = [*tensors("a.weight"), ("z.weight", torch.zeros(1))]
    with pytest.raises(ValueError, match=r"does not know: z\.weight"):
        list(checked(weights, EXPECTED))


def test_a_tensor_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"b\.weight has shape \(5,\)"):
        list(checked([("b.weight", torch.zeros(5))], EXPECTED))
