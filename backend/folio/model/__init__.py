"""The network: DeepSeek-OCR on vLLM's decoder. Importing this imports neither torch nor vLLM."""
