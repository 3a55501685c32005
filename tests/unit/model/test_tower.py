"""The tower as an engine runs it, where that can be told without a GPU."""

import pytest
import torch

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.model.tower import (
    CONFIG_KEY,
    MAX_PADDING,
    VIEW_SIDES,
    Tower,
    TowerOptions,
    cut_to_sizes,
    graph_sizes,
    next_size,
)
from tests.integration.model.checkpoints import SMALL_DECODER, TINY_TOWER, config_with


@pytest.fixture(scope="module")
def encoder():
    config = config_with(decoder=SMALL_DECODER, tower=TINY_TOWER)
    sizes = DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    return DeepEncoder(sizes).eval()


def test_options_come_from_vllms_additional_config():
    chosen = {"attention": "fused", "compiled": True, "cuda_graphs": True}
    assert TowerOptions.from_config({CONFIG_KEY: chosen}) == TowerOptions("fused", True, True)


@pytest.mark.parametrize("additional_config", [None, {}, {"another": {}}, object()])
def test_without_options_the_tower_has_its_defaults(additional_config):
    assert TowerOptions.from_config(additional_config) == TowerOptions()


def test_a_cpu_runs_the_plain_encoder_whatever_is_asked(encoder):
    tower = Tower(encoder, TowerOptions("fused", compiled=True, cuda_graphs=True))
    views = torch.randint(0, 256, (2, 3, 128, 128), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(tower(views), encoder(views))


@pytest.mark.parametrize(
    ("num_views", "side", "pieces"),
    [
        (1, 640, [1]),
        (7, 640, [7]),
        (13, 640, [13]),
        (19, 640, [18, 1]),
        (36, 640, [36]),
        (40, 640, [36, 4]),
        (9, 1024, [9]),
        (18, 1024, [16, 2]),
        (7, 1280, [4, 3]),
        (11, 512, [4, 4, 3]),
    ],
)
def test_a_batch_is_cut_into_what_graphs_there_are(num_views, side, pieces):
    assert cut_to_sizes(num_views, graph_sizes(side)) == pieces


@pytest.mark.parametrize("side", VIEW_SIDES)
def test_graphs_hold_all_views_and_little_else(side):
    sizes = graph_sizes(side)
    for num_views in range(1, 100):
        pieces = cut_to_sizes(num_views, sizes)
        assert sum(pieces) == num_views
        run = sum(next_size(piece, sizes) for piece in pieces)
        assert run - num_views <= MAX_PADDING * run


def test_a_side_that_no_mode_has_is_not_captured():
    assert graph_sizes(128) == ()
