"""Says, as lines of nvidia-smi, what torch finds of CUDA; run in a process of its own, since CUDA
that is initialised in the service's process would stay there: `python -m folio.engine.cuda_report`.
"""

import sys


def report() -> None:
    """Fails as the engine would where the driver does not fit."""
    import torch

    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        mebibyte = 1024 * 1024
        sys.stdout.write(
            f"{index}, GPU-{properties.uuid}, {properties.name}, unknown, "
            f"{properties.major}.{properties.minor}, {total // mebibyte}, {free // mebibyte}\n"
        )
    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA")


if __name__ == "__main__":
    report()
