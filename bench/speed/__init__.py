"""Folio beside the best stock `vllm serve`, on one card, in one run: `python -m bench.speed`."""
