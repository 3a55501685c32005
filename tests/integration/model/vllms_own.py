"""vLLM's own DeepSeek-OCR, to compare with, on machines without torchvision."""

import contextlib
import importlib
import importlib.util
import sys
import types
import warnings

import numpy as np
import torch
from PIL import ImageOps

from folio.preprocessing.resolution import Mode
from folio.preprocessing.transforms import PADDING_VALUE

MODEL = "vllm.model_executor.models.deepseek_ocr"

# What a mode is in vLLM's words: constants of its modules, of which gundam's are the ones it has.
MODES = {
    Mode.TINY: {"base_size": 512, "image_size": 512, "cropping": False},
    Mode.SMALL: {"base_size": 640, "image_size": 640, "cropping": False},
    Mode.BASE: {"base_size": 1024, "image_size": 1024, "cropping": False},
    Mode.LARGE: {"base_size": 1280, "image_size": 1280, "cropping": False},
    Mode.GUNDAM: {"base_size": 1024, "image_size": 640, "cropping": True},
}
# The published code pads the page in these; vLLM's stretches it in every mode without crops.
PADDED_MODES = (Mode.BASE, Mode.LARGE)


def register_vllms_own_model():
    from vllm import ModelRegistry

    module = vllms_own_module(MODEL)
    ModelRegistry.register_model("DeepseekOCRForCausalLM", module.DeepseekOCRForCausalLM)


def vllms_own_input(page, mode, prompt):
    """What vLLM's engine takes for this mode, and its modules' constants set to that mode: they are
    read when the request is added. page: a picture.

    The constant CROP_MODE is for the number of image tokens alone. The processor has bound its own
    as a default, and goes on cropping unless the request says otherwise.
    """
    module, settings = vllms_own_module(MODEL), MODES[mode]
    module.BASE_SIZE, module.IMAGE_SIZE, module.CROP_MODE = settings.values()
    if mode in PADDED_MODES:
        side = settings["base_size"]
        page = ImageOps.pad(page, (side, side), color=(PADDING_VALUE,) * 3)
    return {
        "prompt": prompt,
        "multi_modal_data": {"image": page},
        "mm_processor_kwargs": {"crop_mode": settings["cropping"]},
    }


class ToTensor:
    """uint8 (height, width, 3) picture -> float32 (3, height, width) from 0 to 1."""

    def __call__(self, picture):
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = (torch.tensor(v)[:, None, None] for v in (mean, std))

    def __call__(self, pixels):
        return (pixels - self.mean) / self.std


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, value):
        for transform in self.transforms:
            value = transform(value)
        return value


def vllms_own_module(name):
    """Import a module of vLLM's that wants torchvision's transforms, and nothing else of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vllm.multimodal.processing  # noqa: F401 - what looks for torchvision does it here

        if importlib.util.find_spec("torchvision"):
            return importlib.import_module(name)
        with lent_transforms():
            return importlib.import_module(name)


@contextlib.contextmanager
def lent_transforms():
    torchvision = types.ModuleType("torchvision")
    transforms = types.ModuleType("torchvision.transforms")
    transforms.ToTensor, transforms.Normalize, transforms.Compose = ToTensor, Normalize, Compose
    torchvision.transforms = transforms
    modules = {"torchvision": torchvision, "torchvision.transforms": transforms}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
