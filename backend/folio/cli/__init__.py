"""The command line: `folio serve` and its siblings."""

from folio.cli.main import app

__all__ = ["app"]
