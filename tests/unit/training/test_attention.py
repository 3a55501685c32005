import pytest
import torch
from torch.nn.attention import SDPBackend

from folio.model.deepencoder.sam import SamEncoder
from training.attention import MEASURED, GlobalAttention, replace_attention
from training.nano import Nano, load_config


@pytest.fixture
def encoder() -> SamEncoder:
    torch.manual_seed(0)
    return Nano(load_config()).model.sam_model


@pytest.mark.parametrize("pads_value", [True, False])
def test_another_kernel_gives_the_same_patches(encoder: SamEncoder, *, pads_value: bool) -> None:
    side = 16 * MEASURED[0][0]
    pixels = torch.randn(1, 3, side, side)
    with torch.no_grad():
        expected = encoder.encode_patches(pixels)
        for block in encoder.blocks:
            if block.is_global:
                replace_attention(block, GlobalAttention(SDPBackend.MATH, pads_value))
        torch.testing.assert_close(encoder.encode_patches(pixels), expected, rtol=1e-4, atol=1e-4)


def test_sizes_that_were_not_measured_stay_with_torchs_choice(encoder: SamEncoder) -> None:
    pixels = torch.randn(1, 3, 320, 320)
    with torch.no_grad():
        expected = encoder.encode_patches(pixels)
        for block in encoder.blocks:
            if block.is_global:
                # No such kernel on a CPU: it would be an error.
                replace_attention(block, GlobalAttention(SDPBackend.CUDNN_ATTENTION, False))
        torch.testing.assert_close(encoder.encode_patches(pixels), expected)
