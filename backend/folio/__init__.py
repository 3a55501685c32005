"""Folio turns pages into text: a self-hosted OCR service with vLLM embedded."""

__version__ = "0.1.0"

__all__ = ["__version__"]
