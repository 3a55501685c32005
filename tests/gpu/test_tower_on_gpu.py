"""The full-size vision tower in half precision, beside itself in float32 and beside vLLM's own."""

import shutil

import pytest
import torch

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from tests.integration.model.checkpoints import (
    SMALL_DECODER,
    config_with,
    published_config,
    random_tensor,
    write_checkpoint,
)
from tests.integration.model.engine_runs import Job, Page, run_engine
from tests.integration.model.pictures import write_pictures

pytestmark = pytest.mark.gpu

# Gundam is the only mode that vLLM's own code knows: a page without crops, one with two.
SIZES = [(640, 480), (600, 1100)]


@pytest.fixture(scope="module")
def encoder():
    config = published_config()
    sizes = DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    encoder = DeepEncoder(sizes)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in encoder.named_parameters():
        parameter.data = random_tensor(name, tuple(parameter.shape), generator)
    return encoder.cuda().eval()


def structured_pixels(views, side):
    """Blocks, not noise: (views, 3, side, side), uint8."""
    generator = torch.Generator().manual_seed(side)
    blocks = torch.randint(0, 256, (views, 3, side // 16, side // 16), generator=generator)
    return blocks.repeat_interleave(16, 2).repeat_interleave(16, 3).to(torch.uint8).cuda()


@pytest.mark.parametrize("side", [512, 640, 1024, 1280])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2e-2), (torch.float16, 5e-3)])
def test_half_precision_stays_close_to_float32(encoder, side, dtype, tolerance):
    pixels = structured_pixels(2, side)
    with torch.inference_mode():
        exact = encoder.float().encode(pixels)
        half = encoder.to(dtype).encode(pixels).float()
        encoder.float()
    assert half.isfinite().all()
    assert (half - exact).norm() / exact.norm() < tolerance


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(vLLM's own, ours) in bfloat16 for each page, the same full-size tower."""
    model = tmp_path_factory.mktemp("full-size-tower")
    write_checkpoint(model, config_with(decoder=SMALL_DECODER))
    pages = [Page(path, "gundam") for path in write_pictures(model, SIZES)]
    arguments = {"dtype": "bfloat16", "gpu_memory_utilization": 0.3}
    results = [
        run_engine(
            Job(model=str(model), pages=pages, vllms_own=vllms_own, engine_args=arguments),
            tmp_path_factory.mktemp("runs"),
        )
        for vllms_own in (True, False)
    ]
    shutil.rmtree(model)  # most of a gigabyte
    return list(zip(*results, strict=True))


@pytest.mark.parametrize("page", range(len(SIZES)))
def test_tower_agrees_with_vllms_own(runs, page):
    own, ours = (run.embeddings for run in runs[page])
    assert (ours - own).norm() / own.norm() < 2e-2
    assert torch.nn.functional.cosine_similarity(ours, own).min() > 0.99
