"""Checkpoints with the published names and layout, in small, loaded by vLLM's own loader."""

import subprocess
import sys

import pytest

from folio.model.checkpoint import UNUSED_TENSOR
from tests.integration.model.checkpoints import TINY_TOWER, config_with, shapes_of, write_checkpoint
from tests.integration.model.engine_runs import REPOSITORY, child_environment

pytestmark = pytest.mark.engine

# As many layers and experts as published, so that every name is there.
NARROW_DECODER = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "moe_intermediate_size": 32,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "vocab_size": 256,
}
CONFIG = config_with(decoder=NARROW_DECODER, tower=TINY_TOWER)
ONE_EXPERT = "model.layers.7.mlp.experts.41.up_proj.weight"
ONE_OF_THE_TOWER = "model.sam_model.blocks.3.attn.rel_pos_h"


def load(*folders):
    """Load checkpoints in one process of their own -> a line of output for each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.model.load_checkpoints", *map(str, folders)],
        capture_output=True,
        text=True,
        env=child_environment(),
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    variants = {
        "complete": {},
        "without the unused tensor": {"leave_out": [UNUSED_TENSOR]},
        "without one expert": {"leave_out": [ONE_EXPERT]},
        "without one of the tower": {"leave_out": [ONE_OF_THE_TOWER]},
    }
    folders = {}
    for name, options in variants.items():
        folders[name] = tmp_path_factory.mktemp("checkpoint")
        write_checkpoint(folders[name], CONFIG, **options)
    return dict(zip(folders, load(*folders.values()), strict=True))


def test_this_checkpoint_has_as_many_tensors_as_the_published_one():
    assert len(shapes_of(CONFIG)) == 2710


@pytest.mark.parametrize("variant", ["complete", "without the unused tensor"])
def test_every_parameter_is_loaded_from_every_tensor(results, variant):
    assert results[variant] == "RESULT loaded, 0 parameters left as they were"


def test_a_missing_expert_is_named(results):
    assert f"lacks 1 tensor(s): {ONE_EXPERT}" in results["without one expert"]


def test_a_missing_tensor_of_the_tower_is_named(results):
    assert f"lacks 1 tensor(s): {ONE_OF_THE_TOWER}" in results["without one of the tower"]
