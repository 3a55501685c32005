"""The mean of two checkpoints of which one went on from the other.

python -m training.soup models/nano .train/nano --share 0.7 --out .train/soup

A run that was short of steps has learnt something new and forgotten a little of the old; in between
both are better kept ("Model soups", Wortsman et al. 2022).
"""

import argparse
from pathlib import Path

from torch import Tensor

from training.checkpoint import load_checkpoint, save_checkpoint


def mix(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """share: of the second. Raises KeyError where they differ in a name."""
    if first.keys() != second.keys():
        raise KeyError(f"not in both: {sorted(first.keys() ^ second.keys())}")
    return {name: first[name].lerp(second[name], share) for name in first}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    first, second = (
        load_checkpoint(folder).state_dict() for folder in (options.first, options.second)
    )
    save_checkpoint(mix(first, second, options.share), options.out)


if __name__ == "__main__":
    main()
