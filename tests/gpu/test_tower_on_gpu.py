"""The full-size vision tower in half precision, beside itself in float32 and beside vLLM's own."""

import shutil

import numpy as np
import pytest
import torch

from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig
from folio.model.inputs import choose_pixels
from folio.model.tower import Tower, TowerOptions
from folio.model.view_batches import embed_pages
from folio.preprocessing.resolution import Mode, resolve
from tests.integration.model.checkpoints import (
    SMALL_DECODER,
    config_with,
    published_config,
    random_tensor,
    write_checkpoint,
)
from tests.integration.model.engine_runs import Job, Page, run_engine
from tests.integration.model.parity import assert_no_less_exact_than_vllms_own, exact_embeddings
from tests.integration.model.pictures import write_pictures

pytestmark = pytest.mark.gpu

# In gundam a page without crops, and one with two.
SIZES = [(640, 480), (600, 1100)]
PAGE_SIZES = [(1240, 1754), (900, 300)]


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


@pytest.mark.parametrize("side", [512, 640, 1024, 1280])
@pytest.mark.parametrize("num_views", [1, 3, 7, 19])
@pytest.mark.parametrize(
    "options",
    [
        TowerOptions(),
        TowerOptions(cuda_graphs=True),
        TowerOptions(compiled=True),
        TowerOptions(compiled=True, cuda_graphs=True),
    ],
)
def test_no_variant_of_the_tower_is_less_exact_than_the_plain_one(
    variants, encoder, options, side, num_views
):
    pixels = structured_pixels(num_views, side)
    with torch.inference_mode():
        exact = encoder.float().encode(pixels)
        plain = variants(TowerOptions(attention="folded"))(pixels).float()
        tower = variants(options)
        first, again = tower(pixels).float().clone(), tower(pixels).float()
    assert (first - exact).norm() < 1.2 * (plain - exact).norm()
    assert torch.equal(first, again)


@pytest.fixture(scope="module")
def variants(encoder):
    """Towers in bfloat16 with the encoder's weights, made once each."""
    towers = {}

    def make(options):
        if options not in towers:
            copied = DeepEncoder(encoder.config).cuda().eval()
            copied.load_state_dict(encoder.state_dict())
            towers[options] = Tower(copied.to(torch.bfloat16).requires_grad_(False), options)
        return towers[options]

    return make


@pytest.mark.parametrize("form", ["as it is", "as views"])
def test_pages_of_all_modes_in_one_step_are_encoded_as_alone(encoder, form):
    kinds = [(mode, size) for mode in Mode for size in PAGE_SIZES]
    resolutions = [resolve(mode, *size) for mode, size in kinds]
    pages = [
        [tensor.cuda() for tensor in as_pixels(size, resolution, form)]
        for (_, size), resolution in zip(kinds, resolutions, strict=True)
    ]
    encoder.float()
    with torch.inference_mode():
        together = embed(encoder, pages, resolutions)
        for tokens, page, resolution in zip(together, pages, resolutions, strict=True):
            (alone,) = embed(encoder, [page], [resolution])
            assert len(tokens) == resolution.num_image_tokens
            assert (tokens - alone).norm() / alone.norm() < 1e-3


def as_pixels(size, resolution, form):
    blocks = structured_pixels(1, 2048)[0].permute(1, 2, 0).cpu().numpy()
    page = np.ascontiguousarray(blocks[: size[1], : size[0]])
    return choose_pixels(page, resolution, resize_on_device=form == "as it is")


def embed(encoder, pages, resolutions):
    return embed_pages(
        encoder,
        pages,
        resolutions,
        image_newline=encoder.image_newline,
        view_seperator=encoder.view_seperator,
        max_pixels=8 * 1024**2,
    )


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """By mode and picture, the image tokens of ours and of vLLM's own in bfloat16, and exact: the
    same full-size tower. Ours has the pages of all modes in one batch."""
    model = tmp_path_factory.mktemp("full-size-tower")
    write_checkpoint(model, config_with(decoder=SMALL_DECODER))
    paths = write_pictures(model, SIZES)
    kinds = [(mode, picture) for mode in Mode for picture in range(len(SIZES))]
    arguments = {"dtype": "bfloat16", "gpu_memory_utilization": 0.3}

    def run(*, vllms_own):
        pages = [Page(paths[picture], mode, as_it_is=not vllms_own) for mode, picture in kinds]
        job = Job(str(model), pages, vllms_own=vllms_own, engine_args=arguments, max_tokens=1)
        return [run.embeddings for run in run_engine(job, tmp_path_factory.mktemp("runs"))]

    ours, own = run(vllms_own=False), run(vllms_own=True)
    exact = exact_embeddings(model, [Page(paths[picture], mode) for mode, picture in kinds], "cuda")
    shutil.rmtree(model)  # most of a gigabyte
    return dict(zip(kinds, zip(ours, own, exact, strict=True), strict=True))


@pytest.mark.parametrize("picture", range(len(SIZES)))
@pytest.mark.parametrize("mode", Mode)
def test_tower_is_no_less_exact_than_vllms_own(towers, mode, picture):
    """`pytest -rP` prints the figures of what passes too. In float32: `test_parity`."""
    ours, own, exact = towers[mode, picture]
    assert_no_less_exact_than_vllms_own(ours, own, exact)
