"""Reads .env.vllm-direct: each variable, whether it is set or only named, and its comment."""

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
ENV_FILE = CHECKOUT / ".env.vllm-direct"

_VARIABLE = re.compile(r"(#?)([A-Z][A-Z0-9_]*)=(.*)")


@dataclass(frozen=True)
class Variable:
    """One line of the file. is_set: not commented out."""

    name: str
    value: str
    is_set: bool
    comment: str


def read_env_file(path: Path = ENV_FILE) -> dict[str, Variable]:
    """By name, in the file's order. Variables right below each other share a comment."""
    variables: dict[str, Variable] = {}
    comment: list[str] = []
    is_new_comment = True
    for line in path.read_text().splitlines():
        if found := _VARIABLE.fullmatch(line):
            mark, name, value = found.groups()
            assert name not in variables, f"{name} stands in {path.name} twice"
            variables[name] = Variable(name, value, not mark, " ".join(comment))
            is_new_comment = True
        elif line.startswith("# ") and not line.startswith("# ---"):
            comment = [line[2:]] if is_new_comment else [*comment, line[2:]]
            is_new_comment = False
        else:
            comment, is_new_comment = [], True
    return variables
