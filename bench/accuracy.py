"""Error rates of the service over held-out pages, read through POST /api/ocr/image.

    python -m bench.accuracy --pages .train/heldout --modes auto gundam [--url http://localhost:8001]

Without --url a service with the small model is started for the run. The pages are those that
`python -m training.heldout_pages` makes. Shows per category what each mode costs and gets right.
"""

import argparse
import concurrent.futures
import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.service import running_service
from training.scoring import count_errors

NUM_PARALLEL = 16


@dataclass
class Score:
    """Edits and characters over a category, image tokens spent, and the modes that were used."""

    edits: int = 0
    characters: int = 0
    image_tokens: int = 0
    pages: int = 0
    modes: Counter[str] = field(default_factory=Counter)

    @property
    def percent(self) -> float:
        return 100 * self.edits / max(1, self.characters)

    def add(self, page: dict[str, Any], answer: dict[str, Any]) -> None:
        edits, characters = count_errors(answer["text"], page["text"])
        self.edits += edits
        self.characters += characters
        self.image_tokens += answer["usage"]["image_tokens"]
        self.pages += 1
        self.modes[answer["mode"]] += 1


def read_page(client: httpx.Client, path: Path, mode: str) -> dict[str, Any]:
    fields = {"mode": mode, "task": "free"}
    answer = client.post("/api/ocr/image", files={"image": path.read_bytes()}, data=fields)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def measure(url: str, folder: Path, pages: list[dict[str, Any]], mode: str) -> dict[str, Score]:
    """Scores by category, and of all pages together under "all"."""
    scores: dict[str, Score] = defaultdict(Score)
    with (
        httpx.Client(base_url=url, timeout=1200) as client,
        concurrent.futures.ThreadPoolExecutor(NUM_PARALLEL) as threads,
    ):
        paths = [folder / page["name"] for page in pages]
        answers = threads.map(lambda path: read_page(client, path, mode), paths)
        for page, answer in zip(pages, answers, strict=True):
            scores[page["category"]].add(page, answer)
            scores["all"].add(page, answer)
    return scores


def print_table(by_mode: dict[str, dict[str, Score]]) -> None:
    categories = next(iter(by_mode.values()))
    print(f"{'category':18}" + "".join(f"{mode:>24}" for mode in by_mode))
    for category in categories:
        cells = (scores[category] for scores in by_mode.values())
        row = "".join(
            f"{score.percent:9.2f}% {score.image_tokens / score.pages:6.0f} tokens"
            for score in cells
        )
        print(f"{category:18}{row}")
    for mode, scores in by_mode.items():
        print(f"{mode}: {dict(scores['all'].modes)}")


def run(url: str, options: argparse.Namespace) -> None:
    pages = json.loads((options.pages / "pages.json").read_text(encoding="utf-8"))
    pages = [page for page in pages if not options.only or page["category"] in options.only]
    print_table({mode: measure(url, options.pages, pages, mode) for mode in options.modes})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, default=Path(".train/heldout"))
    parser.add_argument("--modes", nargs="+", default=["auto", "gundam"])
    parser.add_argument("--only", nargs="*", help="categories")
    parser.add_argument("--url", help="a service that runs already")
    options = parser.parse_args()
    if options.url:
        run(options.url, options)
        return
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as service:
        service.wait_for_status("healthy")
        run(service.url, options)


if __name__ == "__main__":
    main()
