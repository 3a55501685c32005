"""What OCR of a page means: prompts, the reading of the model's output, Markdown."""

from folio.pipeline.page import MODES, PageOptions, PageRequest, recognize_page
from folio.pipeline.prompts import Task
from folio.pipeline.results import Block, BoundingBox, PageResult, Usage

__all__ = [
    "MODES",
    "Block",
    "BoundingBox",
    "PageOptions",
    "PageRequest",
    "PageResult",
    "Task",
    "Usage",
    "recognize_page",
]
