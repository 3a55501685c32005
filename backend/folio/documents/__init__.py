"""Files as users have them -> page images. Knows nothing of engines, tasks or HTTP."""

from folio.documents.images import ImageLimits, PageImage, decode_image
from folio.documents.sniff import FileType, sniff

__all__ = ["FileType", "ImageLimits", "PageImage", "decode_image", "sniff"]
