"""The commands, one function each. What they need is imported when they run."""

from pathlib import Path
from typing import Annotated

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
) -> None:
    """Ask the service whether it is well. Exit status 0 where it is."""
    from folio.cli.health import health as run

    run(url)


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
def version() -> None:
    """Print Folio's version."""
    print(__version__)
