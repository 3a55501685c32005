"""How the program logs: one line an event, to standard error."""

import logging
import sys
import warnings

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Send the log of Folio and of the web server to standard error, in one format."""
    logging.basicConfig(level=logging.WARNING, format=FORMAT, stream=sys.stderr, force=True)
    # Libraries' notes to their own developers.
    warnings.simplefilter("ignore", FutureWarning)
    for name in ("folio", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
