"""Any Pillow image mode -> RGB in which the writing shows. Knows nothing of files and limits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, TiffImagePlugin

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)

# Deep grey is stretched between these percentiles of itself. They lie far out, so that a single
# word on a page, a few ten-thousandths of its pixels, is still inside.
_LOW_PERCENTILE, _HIGH_PERCENTILE = 0.01, 99.99
# A narrower range is not writing but a blank page's noise: it is not blown up to full contrast.
_LEAST_RELATIVE_RANGE = 1 / 8

_LIGHT_LUMA = 160  # what is lighter than this would vanish on white paper
_MOSTLY = 0.5


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB: deep grey rescaled, transparency laid on paper that shows the writing."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _rescale_deep_grey(image)
    if image.mode == "CMYK":
        return _undo_missing_inversion(image).convert("RGB")
    if image.has_transparency_data:
        return _lay_on_paper(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _undo_missing_inversion(image: Image.Image) -> Image.Image:
    """Pillow inverts every CMYK JPEG, as Adobe's are; one without Adobe's marker is not."""
    if image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image


def _lay_on_paper(image: Image.Image) -> Image.Image:
    """RGBA -> RGB on white, or on black where the visible pixels are few and light."""
    paper = Image.new("RGB", image.size, _BLACK if _is_light_writing(image) else _WHITE)
    paper.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return paper


def _is_light_writing(image: Image.Image) -> bool:
    visible = image.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
    histogram = np.array(image.convert("L").histogram(visible))
    num_visible = int(histogram.sum())
    if num_visible == 0 or num_visible > _MOSTLY * image.width * image.height:
        return False  # nothing to see, or the picture brings its own paper
    return int(histogram[_LIGHT_LUMA:].sum()) > _MOSTLY * num_visible


def _rescale_deep_grey(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    if _is_white_zero(image):
        values = -values
    low, high = _writing_range(values)
    values -= low
    values *= 255 / (high - low)
    np.clip(values, 0, 255, out=values)
    return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")


def _is_white_zero(image: Image.Image) -> bool:
    # Pillow inverts such TIFFs up to 8 bits, but not 16-bit ones.
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return bool(image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0)


def _writing_range(values: NDArray[np.float32]) -> tuple[float, float]:
    low, high = np.percentile(values, [_LOW_PERCENTILE, _HIGH_PERCENTILE])
    least_range = max(abs(float(high)), abs(float(low))) * _LEAST_RELATIVE_RANGE
    low = min(float(low), float(high) - least_range)
    return (low, float(high)) if high > low else (float(high) - 1, float(high))
