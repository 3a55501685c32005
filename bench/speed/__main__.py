"""Pages a second of stock vLLM and of Folio, side by side.

    python -m bench.speed                                    # everything; hours on a slow machine
    python -m bench.speed --only folio --concurrency 192     # a part, into the same JSON
    python -m bench.speed --only front --nano                # the front end; needs no GPU
    python -m bench.speed --report                           # the table of what is there

Full-size model with random weights, the same generated pages, answers of the same length, the same
no-repeat n-gram rule. Results are kept in --out after every measured concurrency, so that a run
that is cut short loses one figure, and the next run adds to it: see bench/README.md.
"""

import argparse
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from bench.speed.measuring import Plan, measure
from bench.speed.model_folder import write_full_size_model
from bench.speed.pages import write_pages
from bench.speed.results import Results
from bench.speed.servers import SERVERS, ServerOptions, running_server
from folio.config import embedded_model_path


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=SERVERS, nargs="+", default=["stock", "folio"])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 64, 192])
    parser.add_argument("--tokens", type=int, nargs="+", default=[512], help="of each answer")
    parser.add_argument(
        "--points",
        type=parse_point,
        nargs="+",
        metavar="CONCURRENCY:TOKENS",
        help="just these, instead of every --concurrency with every --tokens",
    )
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--pages-per-pass", type=int, help="default: as many as run at once")
    parser.add_argument("--format", choices=["jpeg", "png"], default="jpeg")
    parser.add_argument("--mode", default="gundam", help="Folio's; stock vLLM knows gundam only")
    parser.add_argument("--seconds", type=float, default=570, help="end before this has passed")
    parser.add_argument("--out", type=Path, default=Path("speed.json"))
    parser.add_argument("--label", default="", help="tells variants of one server apart")
    parser.add_argument("--model", type=Path, help="a model's folder; default: full size, random")
    parser.add_argument("--nano", action="store_true", help="the small model: to try this program")
    parser.add_argument("--stock-args", default="", help="more arguments of `vllm serve`")
    parser.add_argument("--report", action="store_true", help="print the table only")
    return parser.parse_args(arguments)


def parse_point(text: str) -> tuple[int, int]:
    concurrency, num_tokens = text.split(":")
    return int(concurrency), int(num_tokens)


def main() -> None:
    options = parse(sys.argv[1:])
    results = Results(options.out)
    if not options.report:
        run(options, results)
    print(results.table())


def run(options: argparse.Namespace, results: Results) -> None:
    deadline = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="folio-speed-") as name:
        folder = Path(name)
        pages = write_pages(folder / "pages", options.format)
        model = choose_model(options, folder / "model")
        for server_name in options.only:
            run_server(server_name, model, pages, options, results, deadline)


def choose_model(options: argparse.Namespace, folder: Path) -> Path:
    if options.nano:
        return embedded_model_path()
    if options.model:
        return Path(options.model)
    write_full_size_model(folder)
    return folder


def run_server(
    name: str,
    model: Path,
    pages: list[Path],
    options: argparse.Namespace,
    results: Results,
    deadline: float,
) -> None:
    server_options = ServerOptions(
        model=model,
        mode=options.mode,
        is_random=not options.nano,
        stock_arguments=tuple(options.stock_args.split()),
        timeout_seconds=max(1.0, deadline - time.monotonic()),
    )
    label = f"{name} {options.label}".strip()
    with running_server(SERVERS[name], server_options) as server:
        print(f"{label}: ready after {server.start_seconds:.0f} s", flush=True)
        for concurrency, num_tokens in options.points or product(
            options.concurrency, options.tokens
        ):
            plan = Plan(
                concurrency=concurrency,
                num_tokens=num_tokens,
                num_passes=options.passes,
                pages_per_pass=options.pages_per_pass or max(concurrency, 5),
                seconds=deadline - time.monotonic() - 20,
            )
            if plan.seconds < 10:
                print(f"{label}: no time left for {concurrency} at once", flush=True)
                return
            figures = measure(server, plan, pages)
            results.add(label, options.format, options.mode, plan, figures)
            print(results.line(label, plan, figures), flush=True)


if __name__ == "__main__":
    main()
