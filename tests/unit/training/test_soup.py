import pytest
import torch

from training.soup import mix


def test_the_share_is_of_the_second() -> None:
    first, second = {"a": torch.zeros(2)}, {"a": torch.tensor([1.0, 10.0])}
    assert torch.equal(mix(first, second, 0.7)["a"], torch.tensor([0.7, 7.0]))


def test_a_name_that_one_lacks_is_told() -> None:
    with pytest.raises(KeyError, match="'b'"):
        mix({"a": torch.zeros(1)}, {"a": torch.zeros(1), "b": torch.zeros(1)}, 0.5)
