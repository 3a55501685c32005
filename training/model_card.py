"""Writes the model card from the reports of evaluate.

python -m training.model_card --reports report.json --tesseract tesseract.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("model-card.md")
Row = dict[str, Any]


def error_rate(row: Row) -> str:
    return f"{100 * row['edits'] / max(1, row['characters']):.2f}%"


def load_rows(paths: list[Path]) -> list[Row]:
    rows: list[Row] = [row for path in paths for row in json.loads(path.read_text())]
    return sorted(
        (row for row in rows if "category" in row),
        key=lambda row: (row["category"], row["mode"], row["prompt"]),
    )


def text_table(rows: list[Row], tesseract: dict[str, Row]) -> str:
    lines = [
        "| pages | mode | nano | pages without an error | Tesseract 5 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if row["prompt"] == "text":
            other = tesseract.get(row["category"])
            exact = f"{row['exact']} of {row['pages']}"
            beside = error_rate(other) if other else ""
            lines.append(
                f"| {row['category']} | {row['mode']} | {error_rate(row)} | {exact} | {beside} |"
            )
    return "\n".join(lines)


def grounding_table(rows: list[Row]) -> str:
    lines = [
        "| pages | mode | prompt | error rate of the text | mean IoU |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if row["boxes"]:
            overlap = f"{row['overlap'] / row['boxes']:.3f}"
            names = f"| {row['category']} | {row['mode']} | {row['prompt']} "
            lines.append(f"{names}| {error_rate(row)} | {overlap} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, nargs="+", required=True)
    parser.add_argument("--tesseract", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/nano/README.md"))
    options = parser.parse_args()
    rows = load_rows(options.reports)
    tesseract = {row["category"]: row for row in load_rows([options.tesseract])}
    card = TEMPLATE.read_text(encoding="utf-8")
    card = card.replace("{text_table}", text_table(rows, tesseract))
    card = card.replace("{grounding_table}", grounding_table(rows))
    options.out.write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
