"""Triton kernels, imported where there is a GPU. Beside each stands the same in plain torch."""
