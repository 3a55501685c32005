"""The linear layer from vision features to the decoder's width."""

from torch import Tensor, nn


class Projector(nn.Module):
    """Named `layers` as in the checkpoint, though it is one."""

    def __init__(self, feature_width: int, hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.Linear(feature_width, hidden_size)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)
