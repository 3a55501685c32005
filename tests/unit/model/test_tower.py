"""The tower as an engine runs it, where that can be told without a GPU."""

import pytest
import torch

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.model.tower import CONFIG_KEY, Tower, TowerOptions
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
