"""The vision tower in plain torch: attention, shapes, dtypes, the order of image tokens."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig, assemble_image
from folio.model.deepencoder.positions import one_hot_rows_and_columns, relative_table
from folio.model.deepencoder.sam import (
    HEAD_DIM_MULTIPLE,
    RelativeAttention,
    join_windows,
    split_into_windows,
)
from folio.preprocessing.resolution import num_image_tokens
from folio.preprocessing.tiling import NO_CROPS, CropGrid

VISION_CONFIG = {
    "image_size": 256,
    "width": {
        "clip-l-14-224": {
            "heads": 2,
            "image_size": 224,
            "layers": 2,
            "patch_size": 14,
            "width": 32,
        },
        "sam_vit_b": {
            "downsample_channels": [24, 32],
            "global_attn_indexes": [1],
            "heads": 2,
            "layers": 2,
            "width": 32,
            "neck": 16,
        },
    },
}
PROJECTOR_CONFIG = {"input_dim": 64, "n_embed": 48}


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config = DeepEncoderConfig.from_published(VISION_CONFIG, PROJECTOR_CONFIG)
    encoder = DeepEncoder(config)
    for name, parameter in encoder.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return encoder.eval()


def random_pixels(views, side):
    generator = torch.Generator().manual_seed(side)
    return torch.randint(0, 256, (views, 3, side, side), dtype=torch.uint8, generator=generator)


def naive_relative_attention(attention, x):
    """Scores with their bias written out: (batch, heads, size**2, size**2)."""
    batch, size, _, width = x.shape
    qkv = attention.qkv(x).view(batch, size**2, 3, attention.num_heads, attention.head_dim)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    grid = query.unflatten(2, (size, size))
    rows = torch.einsum("bnhwc,hkc->bnhwk", grid, relative_table(attention.rel_pos_h, size))
    columns = torch.einsum("bnhwc,wkc->bnhwk", grid, relative_table(attention.rel_pos_w, size))
    bias = (rows[..., :, None] + columns[..., None, :]).flatten(4).flatten(2, 3)
    scores = query @ key.transpose(-1, -2) * attention.head_dim**-0.5 + bias
    out = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, size, size, width)
    return attention.proj(out)


@pytest.mark.parametrize(("size", "trained_size"), [(5, 5), (14, 14), (8, 16), (20, 16)])
def test_folded_positions_equal_a_written_out_bias(size, trained_size):
    torch.manual_seed(size)
    attention = RelativeAttention(width=24, num_heads=3, grid_size=trained_size)
    torch.nn.init.normal_(attention.rel_pos_h)
    torch.nn.init.normal_(attention.rel_pos_w)
    x = torch.randn(2, size, size, 24)
    one_hot = one_hot_rows_and_columns(size, HEAD_DIM_MULTIPLE, like=x)
    positions = attention.positions(size, one_hot)
    expected = naive_relative_attention(attention, x)
    torch.testing.assert_close(attention(x, positions), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grid_size", [14, 20, 40])
def test_windows_join_to_what_was_split(grid_size):
    x = torch.randn(2, grid_size, grid_size, 3)
    windows = split_into_windows(x)
    assert windows.shape[1:] == (14, 14, 3)
    assert torch.equal(join_windows(windows, grid_size=grid_size), x)


@pytest.mark.parametrize("side", [128, 256, 320])
def test_one_token_for_each_64_by_64_pixels(encoder, side):
    tokens = encoder.encode(random_pixels(2, side))
    assert tokens.shape == (2, (side // 64) ** 2, 48)


def test_views_do_not_see_each_other(encoder):
    pixels = random_pixels(3, 256)
    together = encoder.encode(pixels)
    alone = torch.cat([encoder.encode(view[None]) for view in pixels])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_floating_point_pixels_are_taken_as_normalised(encoder):
    pixels = random_pixels(1, 256)
    normalised = pixels.float() / 127.5 - 1
    torch.testing.assert_close(encoder.encode(normalised), encoder.encode(pixels))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_stays_close(encoder, dtype, tolerance):
    pixels = random_pixels(1, 256)
    half = DeepEncoder(encoder.config).to(dtype)
    half.load_state_dict(encoder.state_dict())
    tokens = half.encode(pixels)
    exact = encoder.encode(pixels)
    assert tokens.dtype == dtype
    assert (tokens.float() - exact).norm() / exact.norm() < tolerance


def test_a_frozen_encoder_encodes_the_same(encoder):
    frozen = DeepEncoder(encoder.config)
    frozen.load_state_dict(encoder.state_dict())
    frozen.freeze()
    with torch.no_grad():
        for side in (128, 256, 128):
            pixels = random_pixels(2, side)
            assert torch.equal(frozen.encode(pixels), encoder.encode(pixels))


def test_every_parameter_gets_a_gradient(encoder):
    encoder.zero_grad()
    views = encoder.encode(random_pixels(3, 128))
    encoder.assemble(views[0], views[1:], CropGrid(2, 1)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_parameters_are_named_as_published(encoder):
    names = {name for name, _ in encoder.named_parameters()}
    assert {
        "image_newline",
        "view_seperator",
        "projector.layers.bias",
        "sam_model.patch_embed.proj.weight",
        "sam_model.pos_embed",
        "sam_model.blocks.1.attn.rel_pos_h",
        "sam_model.blocks.0.mlp.lin2.bias",
        "sam_model.neck.0.weight",
        "sam_model.neck.3.bias",
        "sam_model.net_3.weight",
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.position_embedding.weight",
        "vision_model.pre_layrnorm.weight",
        "vision_model.transformer.layers.1.self_attn.qkv_proj.bias",
        "vision_model.transformer.layers.0.mlp.fc2.weight",
    } <= names


def marked_views(num_views, side):
    """Tokens whose first feature says view * 100 + row * 10 + column."""
    view, row, column = torch.meshgrid(*map(torch.arange, (num_views, side, side)), indexing="ij")
    return (view * 100 + row * 10 + column).flatten(1)[..., None].float()


def test_image_tokens_come_in_the_decoders_order():
    newline, separator = torch.tensor([-1.0]), torch.tensor([-2.0])
    global_view = marked_views(1, 2)[0] + 900
    local_views = marked_views(2, 2)
    tokens = assemble_image(global_view, local_views, CropGrid(2, 1), newline, separator)
    assert tokens.flatten().tolist() == [
        *(0, 1, 100, 101, -1, 10, 11, 110, 111, -1),
        *(900, 901, -1, 910, 911, -1),
        -2,
    ]


def test_local_views_lie_in_rows():
    newline, separator = torch.tensor([-1.0]), torch.tensor([-2.0])
    tokens = assemble_image(
        marked_views(1, 1)[0], marked_views(6, 1), CropGrid(2, 3), newline, separator
    )
    assert tokens.flatten().tolist() == [0, 100, -1, 200, 300, -1, 400, 500, -1, 0, -1, -2]


@pytest.mark.parametrize("grid", [NO_CROPS, CropGrid(1, 2), CropGrid(3, 2)])
def test_as_many_tokens_as_the_one_formula_says(encoder, grid):
    global_view, local_views = torch.zeros(256, 48), torch.zeros(grid.num_views, 100, 48)
    tokens = encoder.assemble(global_view, local_views, grid)
    assert len(tokens) == num_image_tokens(1024, grid)


def test_positions_of_another_size_are_interpolated_smoothly():
    table = torch.linspace(0, 1, 127)[:, None].expand(127, 4)
    resized = relative_table(table, 40)
    assert resized.shape == (40, 40, 4)
    assert (resized[0, 1:, 0] < resized[0, :-1, 0]).all()
    assert functional.mse_loss(resized[20, 20], torch.full((4,), 0.5)) < 1e-4


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="input_dim"):
        DeepEncoderConfig.from_published(VISION_CONFIG, {"input_dim": 65, "n_embed": 48})


def test_importing_the_tower_does_not_import_vllm():
    code = "import sys, folio.model, folio.model.deepencoder; print('vllm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
