"""What the GPU tests need: a GPU, and the package visible to the engine's processes."""

import os
import sys
from pathlib import Path

import pytest
import torch

from tests.plugin import plugin_paths

# No CUDA headers for FlashInfer's compiler, no network.
ENVIRONMENT = {"VLLM_USE_FLASHINFER_SAMPLER": "0", "HF_HUB_OFFLINE": "1"}


def pytest_collection_modifyitems(items):
    # As the service asks: `is_available` would begin to use the GPU, and engine cores, which are
    # forks of this process as they are of the service, could not go on.
    if torch.cuda.device_count():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture(scope="session", autouse=True)
def visible_package(tmp_path_factory):
    """Let all processes find the package and its vLLM plugin, installed or not: forks look where
    this one does. Without it vLLM's own model reads Folio's pages, and sees none."""
    paths = plugin_paths(tmp_path_factory.mktemp("distribution"))
    sys.path[:0] = paths
    before = {name: os.environ.get(name) for name in ["PYTHONPATH", *ENVIRONMENT]}
    inherited = before["PYTHONPATH"]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, *([inherited] if inherited else [])])
    os.environ.update(ENVIRONMENT)
    yield
    del sys.path[: len(paths)]
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value
