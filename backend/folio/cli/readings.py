"""What `folio ocr` got for a file, and how it is written down. Pure but for `write`."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

_FIGURE_LINK = "![](images/"


class OutputFormat(StrEnum):
    """What is printed or written."""

    MD = "md"
    TXT = "txt"
    JSON = "json"


@dataclass(frozen=True)
class Reading:
    """A file that was read. `body` is in the format that was asked for; `figures` are pictures by
    the names under which Markdown links them in `images/`. `warnings`: pages that went wrong."""

    body: str
    figures: Mapping[str, bytes] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def body_of_image(answer: Mapping[str, Any], output_format: OutputFormat) -> str:
    """From the answer of POST /api/ocr/image."""
    if output_format is OutputFormat.JSON:
        return json.dumps(answer, ensure_ascii=False, indent=2)
    return str(answer["markdown" if output_format is OutputFormat.MD else "text"])


def text_of_document(document: Mapping[str, Any]) -> str:
    """From document.json: the pages' text, a blank line apart."""
    return "\n\n".join(page["text"] for page in document["pages"] if page["text"])


def warnings_of_image(answer: Mapping[str, Any]) -> list[str]:
    match answer["finish_reason"]:
        case "length":
            return ["the answer came to its greatest length; its end may be missing"]
        case "repetition":
            return ["the model began to repeat itself; text after that may be missing"]
    return []


def warnings_of_document(document: Mapping[str, Any]) -> list[str]:
    return [
        f"page {page['page_number']}: {page['status']}. {page['reason']}"
        for page in document["pages"]
        if page["status"] in ("failed", "truncated")
    ]


def output_names(paths: Sequence[Path], extension: str) -> list[str]:
    """`scan.md` for `scan.pdf`; with more of its name, or a number, where two would be the same."""
    stems = Counter(path.stem for path in paths)
    names = [path.stem if stems[path.stem] == 1 else path.name for path in paths]
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        number = f"-{seen[name]}" if seen[name] > 1 else ""
        numbered.append(f"{name}{number}.{extension}")
    return numbered


def write(reading: Reading, folder: Path, name: str) -> Path:
    """Write the file, and its figures into a folder beside it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    body = reading.body
    if reading.figures:
        figure_folder = f"{Path(name).stem}_images"
        (folder / figure_folder).mkdir(exist_ok=True)
        for figure, data in reading.figures.items():
            (folder / figure_folder / figure).write_bytes(data)
        body = body.replace(_FIGURE_LINK, f"![]({quote(figure_folder)}/")
    path = folder / name
    path.write_text(body if body.endswith("\n") else body + "\n", encoding="utf-8")
    return path
