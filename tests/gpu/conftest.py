"""What the GPU tests need: a GPU, and the package visible to the engine's processes."""

import os
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
    with pytest.MonkeyPatch.context() as patch:
        for path in plugin_paths(tmp_path_factory.mktemp("distribution")):
            patch.syspath_prepend(path)
            patch.setenv("PYTHONPATH", path, prepend=os.pathsep)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield
