"""Our arithmetic against vLLM's own DeepSeek-OCR code: tokens, pixels, n-grams."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from folio.model.ngram import NoRepeatNgramParams, TokenRing
from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import make_views, normalise
from tests.integration.model.vllms_own import MODES, vllms_own_module

IMAGE_TOKEN_ID = 7


@pytest.fixture(scope="module")
def processor_module():
    return vllms_own_module("vllm.transformers_utils.processors.deepseek_ocr")


@pytest.fixture(scope="module")
def model_module():
    return vllms_own_module("vllm.model_executor.models.deepseek_ocr")


def processor(module, *, base_size, image_size, max_crops=6):
    """vLLM's processor without the tokenizer that its constructor asks for."""
    own = object.__new__(module.DeepseekOCRProcessor)
    own.__dict__.update(
        base_size=base_size,
        image_size=image_size,
        max_crops=max_crops,
        strategy="v1",
        patch_size=16,
        downsample_ratio=4,
        image_token="<image>",
        image_token_id=IMAGE_TOKEN_ID,
        ignore_id=-100,
        image_transform=module.ImageTransform(),
        tokenizer=SimpleNamespace(
            encode=lambda text, **_: [9] * len(text), bos_token_id=0, eos_token_id=1, pad_token_id=2
        ),
    )
    return own


def random_sizes(count):
    rng = np.random.default_rng(3)
    return [tuple(int(s) for s in rng.integers(1, 4000, 2)) for _ in range(count)]


@pytest.mark.parametrize("mode", MODES)
def test_token_counts_agree_for_two_hundred_sizes(model_module, monkeypatch, mode):
    settings = MODES[mode]
    monkeypatch.setattr(model_module, "BASE_SIZE", settings["base_size"])
    monkeypatch.setattr(model_module, "IMAGE_SIZE", settings["image_size"])
    info = object.__new__(model_module.DeepseekOCRProcessingInfo)
    for width, height in random_sizes(200):
        expected = info.get_num_image_tokens(
            image_width=width, image_height=height, cropping=settings["cropping"]
        )
        assert resolve(mode, width, height).num_image_tokens == expected, (width, height)


@pytest.mark.parametrize(
    ("size", "num_tokens"),
    [((1191, 1684), 903), ((641, 640), 693), ((429, 806), 493), ((640, 640), 273)],
)
def test_token_counts_of_the_reference(processor_module, size, num_tokens):
    assert resolve(Mode.GUNDAM, *size).num_image_tokens == num_tokens
    own = processor(processor_module, base_size=1024, image_size=640)
    *_, counts, _ = own.tokenize_with_images("<image>", [Image.new("RGB", size)])
    assert counts == [num_tokens]


@pytest.mark.parametrize("max_crops", [6, 9])
def test_crop_grids_agree_for_every_limit(processor_module, max_crops):
    for width, height in random_sizes(200):
        grid = resolve(Mode.GUNDAM, width, height, max_crops=max_crops).crop_grid
        own = processor_module.count_tiles(width, height, max_num=max_crops, image_size=640)
        expected = (0, 0) if width <= 640 and height <= 640 else own
        assert (grid.columns, grid.rows) == expected, (width, height)


def random_page(width, height):
    rng = np.random.default_rng(width)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(700, 1280), (1400, 500), (300, 200), (640, 641)])
@pytest.mark.parametrize("mode", [Mode.TINY, Mode.SMALL, Mode.GUNDAM])
def test_pixels_agree(processor_module, mode, size):
    page = random_page(*size)
    settings = MODES[mode]
    own = processor(
        processor_module, base_size=settings["base_size"], image_size=settings["image_size"]
    )
    _, pixels, crops, *_ = own.tokenize_with_images(
        "<image>", [Image.fromarray(page)], cropping=settings["cropping"]
    )
    views = make_views(page, resolve(mode, *size))
    torch.testing.assert_close(normalise(views.global_view[None], torch.float32), pixels)
    local_views = normalise(views.local_views, torch.float32)
    torch.testing.assert_close(local_views.flatten(), crops.flatten())


@pytest.mark.parametrize(("mode", "side"), [(Mode.BASE, 1024), (Mode.LARGE, 1280)])
def test_base_and_large_are_padded_not_stretched(mode, side):
    page = random_page(700, 1280)
    padded = ImageOps.pad(Image.fromarray(page), (side, side), color=(127, 127, 127))
    view = make_views(page, resolve(mode, 700, 1280)).global_view
    assert torch.equal(view, torch.from_numpy(np.array(padded)).permute(2, 0, 1))


def test_a_page_without_crops_in_gundam_is_one_in_base(processor_module):
    """To both implementations; test_parity counts on it."""
    page = random_page(640, 480)
    own = processor(processor_module, base_size=1024, image_size=1024)
    padded = ImageOps.pad(Image.fromarray(page), (1024, 1024), color=(127, 127, 127))
    in_base = own.tokenize_with_images("<image>", [padded], cropping=False)
    own = processor(processor_module, base_size=1024, image_size=640)
    in_gundam = own.tokenize_with_images("<image>", [Image.fromarray(page)], cropping=True)
    for one, other in zip(in_gundam[:2], in_base[:2], strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    ours = [make_views(page, resolve(mode, 640, 480)) for mode in (Mode.GUNDAM, Mode.BASE)]
    assert torch.equal(*(views.global_view for views in ours))
    assert [len(views.local_views) for views in ours] == [0, 0]


@pytest.mark.parametrize("seed", range(10))
def test_ngrams_are_banned_as_published(model_module, seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    params = NoRepeatNgramParams(size, int(rng.integers(size, 30)), (1, 4))
    published = model_module.NoRepeatNGramLogitsProcessor(size, params.window_size, {1, 4})
    ring = TokenRing(num_rows=1, capacity=30)
    ring.start(0, params)
    output = []
    for _ in range(150):
        output.append(int(rng.integers(0, 3)) if rng.random() < 0.5 else 4 - len(output) % 5)
        ring.append([0], [output[-1]])
        ours = torch.zeros(5)
        ours[ring.find_banned(np.array([0]))[1]] = -torch.inf
        assert torch.equal(published(output, torch.zeros(5)), ours)
