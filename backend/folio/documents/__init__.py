"""Files as users have them -> page images. Knows nothing of engines, tasks or HTTP."""

from folio.documents.document import (
    Document,
    FailedPage,
    RenderedPage,
    open_document,
    sniff_document,
)
from folio.documents.images import ImageLimits, PageImage, decode_image
from folio.documents.page_ranges import PageRange, parse_page_ranges, select_pages
from folio.documents.render_process import RenderProcess
from folio.documents.rendering import RendererName, RenderLimits
from folio.documents.sniff import FileType, sniff

__all__ = [
    "Document",
    "FailedPage",
    "FileType",
    "ImageLimits",
    "PageImage",
    "PageRange",
    "RenderLimits",
    "RenderProcess",
    "RenderedPage",
    "RendererName",
    "decode_image",
    "open_document",
    "parse_page_ranges",
    "select_pages",
    "sniff",
    "sniff_document",
]
