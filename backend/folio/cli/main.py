"""The commands, one function each. What they need is imported when they run."""

import typer

from folio import __version__

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
def version() -> None:
    """Print Folio's version."""
    print(__version__)
