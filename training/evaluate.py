"""Measures a checkpoint, or Tesseract, on the held-out pages, per category and mode.

python -m training.evaluate --model models/nano --pages .train/heldout --report report.json
python -m training.evaluate --tesseract --pages .train/heldout --report tesseract.json
"""

import argparse
import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from folio.preprocessing.resolution import Mode, resolve
from folio.preprocessing.transforms import PageViews, make_views
from training.checkpoint import load_checkpoint
from training.nano import Nano
from training.scoring import count_errors, mean_overlap, parse_tags
from training.vocabulary import GROUNDING, PageTokenizer

PROMPTS: dict[str, list[str | tuple[str]]] = {
    "text": ["\nFree OCR."],
    "lines": ["\n", (GROUNDING,), "OCR this image."],
    "markdown": ["\n", (GROUNDING,), "Convert the document to markdown."],
}
TASKS = {"text": "free", "lines": "ocr", "markdown": "markdown"}  # the service's names
GROUNDED_CATEGORIES = {
    "lines": (
        "paragraph-small",
        "page-small",
        "page-base",
        "table-small",
        "scan-small",
        "a4",
        "columns-a4",
    ),
    "markdown": ("mixed-base", "mixed-a4", "a4", "table-base"),
}
TESSERACT_LANGUAGES = {"en": "eng", "de": "deu", "fr": "fra", "es": "spa"}
MAX_NEW_TOKENS = {"tiny": 900, "small": 1400, "base": 2600, "large": 2600, "gundam": 4200}

NUM_AT_ONCE = 64

Job = tuple[str, str, str]  # category, mode and prompt
Measure = Callable[[argparse.Namespace, list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass
class Score:
    pages: int = 0
    exact: int = 0
    edits: int = 0
    characters: int = 0
    seconds: float = 0.0
    boxes: int = 0
    overlap: float = 0.0
    labels_right: int = 0

    def add(self, answer: str, page: dict[str, Any], prompt: str) -> None:
        truth = page[prompt]
        edits, characters = count_errors(without_tags(answer, prompt), without_tags(truth, prompt))
        self.pages += 1
        self.exact += edits == 0
        self.edits += edits
        self.characters += characters
        if prompt != "text":
            answered, expected = parse_tags(answer), parse_tags(truth)
            self.boxes += len(expected)
            self.overlap += sum(mean_overlap(answered, expected))
            self.labels_right += sum(
                a.ref == t.ref for a, t in zip(answered, expected, strict=False)
            )

    def merge(self, other: "Score") -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


def without_tags(text: str, prompt: str) -> str:
    """The text alone: of each line its ref, of each block what follows its box."""
    if prompt == "text":
        return text
    return "\n".join(tag.ref if prompt == "lines" else tag.text for tag in parse_tags(text))


def load_image(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


class Reader:
    """Reads batches of pages of one size with the plain PyTorch network."""

    def __init__(self, model: Path, device: str, *, batch_size: int) -> None:
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        self.nano: Nano = load_checkpoint(model, dtype=dtype).to(device)
        self.tokenizer = PageTokenizer(model / "tokenizer.json")
        self.device, self.batch_size = device, batch_size
        torch.backends.cuda.enable_cudnn_sdp(False)

    @torch.no_grad()
    def read(
        self, images: list[np.ndarray], mode: str, prompt: str, max_new_tokens: int
    ) -> list[str]:
        """images: of one size."""
        height, width, _ = images[0].shape
        resolution = resolve(Mode(mode), width, height)
        views = [make_views(image, resolution) for image in images]
        image_tokens = self.encode(views, resolution.crop_grid)
        ids = torch.tensor(
            [self.tokenizer.encode(PROMPTS[prompt])] * len(images), device=self.device
        )
        answers = self.nano.generate(image_tokens, ids, max_new_tokens)
        return [self.tokenizer.decode(answer) for answer in answers]

    def encode(self, views: list[PageViews], crop_grid: Any) -> Tensor:
        model = self.nano.model
        global_views = model(torch.stack([view.global_view for view in views]).to(self.device))
        local = torch.cat([view.local_views for view in views])
        local_views = model(local.to(self.device)) if len(local) else None
        return model.image_tokens(global_views, local_views, crop_grid)


def jobs(pages: list[dict[str, Any]]) -> dict[Job, list[dict[str, Any]]]:
    """What each page is asked for."""
    grouped: dict[Job, list[dict[str, Any]]] = defaultdict(list)
    for page in pages:
        for number, mode in enumerate(page["modes"]):
            grouped[page["category"], mode, "text"].append(page)
            for prompt, categories in GROUNDED_CATEGORIES.items():
                if number == 0 and page["category"] in categories:
                    grouped[page["category"], mode, prompt].append(page)
    return grouped


def measure_network(
    options: argparse.Namespace, pages: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    reader = Reader(options.model, options.device, batch_size=options.batch_size)
    part, num_parts = options.part
    rows = []
    for number, ((category, mode, prompt), group) in enumerate(sorted(jobs(pages).items())):
        if number % num_parts != part:
            continue
        score = Score()
        began = time.time()
        for start in range(0, len(group), reader.batch_size):
            batch = group[start : start + reader.batch_size]
            images = [load_image(options.pages / page["name"]) for page in batch]
            for page, answer in zip(
                batch, reader.read(images, mode, prompt, MAX_NEW_TOKENS[mode]), strict=True
            ):
                score.add(answer, page, prompt)
                if options.keep_answers:
                    rows.append(
                        {"name": page["name"], "mode": mode, "prompt": prompt, "answer": answer}
                    )
        score.seconds = time.time() - began
        rows.append({"category": category, "mode": mode, "prompt": prompt, **asdict(score)})
        print(format_row(rows[-1]), flush=True)
    return rows


def measure_service(
    options: argparse.Namespace, pages: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Through POST /api/ocr/image of a service that serves the model: what users will get."""
    rows, began = [], time.time()
    with (
        httpx.Client(base_url=options.url, timeout=1200) as client,
        ThreadPoolExecutor(NUM_AT_ONCE) as pool,
    ):
        # All asked before the first is awaited: a page's answer takes longer than its turn.
        asked = [
            (job, group, pool.map(partial(ask_job, client, job, options.pages), group))
            for job, group in sorted(jobs(pages).items())
        ]
        for (category, mode, prompt), group, answers in asked:
            score = Score()
            for page, answer in zip(group, answers, strict=True):
                score.add(answer, page, prompt)
            score.seconds = time.time() - began
            rows.append({"category": category, "mode": mode, "prompt": prompt, **asdict(score)})
            print(format_row(rows[-1]), flush=True)
    return rows


def ask_job(client: httpx.Client, job: Job, folder: Path, page: dict[str, Any]) -> str:
    """What the model wrote, tags included."""
    _, mode, prompt = job
    fields = {"mode": mode, "task": TASKS[prompt]}
    files = {"image": (folder / page["name"]).read_bytes()}
    answer = client.post("/api/ocr/image", files=files, data=fields)
    answer.raise_for_status()
    return str(answer.json()["raw_text"])


def measure_tesseract(
    options: argparse.Namespace, pages: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    scores: dict[str, Score] = defaultdict(Score)
    for page in pages:
        began = time.time()
        score = scores[page["category"]]
        score.add(run_tesseract(options.pages / page["name"], page), page, "text")
        score.seconds += time.time() - began
    rows = [
        {"category": name, "mode": "tesseract", "prompt": "text", **asdict(score)}
        for name, score in scores.items()
    ]
    for row in rows:
        print(format_row(row))
    return rows


def run_tesseract(path: Path, page: dict[str, Any]) -> str:
    """With the page's language; tables as one block of text (6), all else as it finds them (3)."""
    language = TESSERACT_LANGUAGES[page["language"]]
    segmentation = "6" if page["category"].startswith("table") else "3"
    command = ["tesseract", str(path), "stdout", "-l", language, "--psm", segmentation]
    command += ["--dpi", "150"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def format_row(row: dict[str, Any]) -> str:
    rate = 100 * row["edits"] / max(1, row["characters"])
    boxes = row["boxes"]
    overlap = (
        f"IoU {row['overlap'] / boxes:.3f} refs {100 * row['labels_right'] / boxes:.1f}%"
        if boxes
        else ""
    )
    name = f"{row['category']:16} {row['mode']:9} {row['prompt']:8}"
    exact = f"exact {row['exact']}/{row['pages']}"
    return f"{name} {rate:6.2f}%  {exact}  {row['seconds']:6.1f} s  {overlap}"


def parse_part(text: str) -> tuple[int, int]:
    part, num_parts = text.split("/")
    return int(part), int(num_parts)


def choose_measure(options: argparse.Namespace) -> Measure:
    if options.tesseract:
        return measure_tesseract
    return measure_service if options.url else measure_network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/nano"))
    parser.add_argument("--pages", type=Path, default=Path(".train/heldout"))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--tesseract", action="store_true")
    parser.add_argument("--url", help="ask a running service instead of the plain network")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--part", type=parse_part, default=(0, 1), help="i/n: only every n-th job")
    parser.add_argument("--only", nargs="*", help="categories")
    parser.add_argument("--keep-answers", action="store_true")
    options = parser.parse_args()
    pages = json.loads((options.pages / "pages.json").read_text(encoding="utf-8"))
    pages = [page for page in pages if not options.only or page["category"] in options.only]
    rows = choose_measure(options)(options, pages)
    if options.report:
        options.report.write_text(
            json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
