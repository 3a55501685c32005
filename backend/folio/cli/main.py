"""The commands, one function each. What they need is imported when they run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from folio import __version__
from folio.cli.readings import OutputFormat

app = typer.Typer(
    name="folio",
    help="Folio turns pages into text. Settings come from the environment, see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Models and their files.", no_args_is_help=True)
app.add_typer(models, name="model")


@app.command()
def serve() -> None:
    """Start the HTTP service with the embedded engine, in the foreground."""
    from folio.cli.serve import serve as run

    run()


@app.command()
def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; without it, WORKER_NUM_PROCESSES of them."),
    ] = None,
) -> None:
    """Work on documents: split them into pages and send these to the service's engine."""
    from folio.cli.worker import worker as run

    run(concurrency)


@app.command()
def migrate() -> None:
    """Bring the database's tables to the version that this Folio wants."""
    from folio.cli.migrate import migrate as run

    run()


@app.command()
def health(
    url: Annotated[
        str | None, typer.Option(help="The service; without it, the one at PORT on this machine.")
    ] = None,
    worker: Annotated[
        bool,
        typer.Option("--worker", help="Ask the worker on this machine, at WORKER_METRICS_PORT."),
    ] = False,
) -> None:
    """Ask the service whether it is well. Exit status 0 where it is."""
    from folio.cli.health import ask_service, ask_worker

    if worker:
        ask_worker()
    else:
        ask_service(url)


@app.command()
def ocr(
    files: Annotated[list[Path], typer.Argument(help="Images, PDFs and TIFFs.")],
    out: Annotated[
        Path | None, typer.Option(help="A folder to write to; without it, results are printed.")
    ] = None,
    output_format: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.MD,
    mode: Annotated[str, typer.Option(help="How finely pages are looked at.")] = "auto",
    task: Annotated[str, typer.Option(help="What the model is asked to do.")] = "markdown",
    query: Annotated[str | None, typer.Option(help="With --task locate.")] = None,
    prompt: Annotated[str | None, typer.Option(help="With --task custom.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer to a page.")] = None,
    pages: Annotated[str | None, typer.Option(help='Of documents: "1-3,7".')] = None,
    dpi: Annotated[int, typer.Option(help="How finely documents are drawn.")] = 144,
    url: Annotated[
        str | None, typer.Option(help="The service; without it, the one at PORT on this machine.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Load the model in this process; no service needed.")
    ] = False,
) -> None:
    """Read files, and print or write what they say. Pages that fail are told on standard error.

    Exit status: 0; 1 where a file could not be read, after the others; 2 for wrong options.
    """
    from folio.cli.ocr import OcrCommand, make_options
    from folio.cli.ocr import ocr as run

    options = make_options(
        mode=mode,
        task=task,
        query=query,
        prompt=prompt,
        max_tokens=max_tokens,
        pages=pages,
        dpi=dpi,
    )
    run(OcrCommand(files, options, output_format, out, url, is_local=local))


@app.command()
def doctor(
    is_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look at all that the service needs, and say what to do. Exit status 0 where it can work."""
    from folio.cli.doctor import doctor as run

    run(is_json=is_json)


@app.command()
def plan(
    card_gb: Annotated[
        float | None, typer.Option(min=1, help="Plan for a card of this size instead.")
    ] = None,
    capability: Annotated[str, typer.Option(help="Its compute capability.")] = "8.9",
    cards: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
    is_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how the engine uses this machine, and why: what is not set is worked out."""
    from folio.cli.plan import Card
    from folio.cli.plan import plan as run

    run(Card(card_gb, capability, cards) if card_gb else None, is_json=is_json)


@models.command()
def download(
    model_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="owner/name; without it, MODEL_PATH.")
    ] = None,
    hub: Annotated[
        Literal["huggingface", "modelscope"] | None,
        typer.Option("--from", help="Instead of MODEL_HUB."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="A folder; without it, one under MODEL_CACHE_DIR.")
    ] = None,
) -> None:
    """Bring a model from a hub, checked. Run again, it goes on where it stopped."""
    from folio.cli.model import download as run

    run(model_id, hub, to)


@app.command()
def version() -> None:
    """Print Folio's version."""
    print(__version__)
