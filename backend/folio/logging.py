"""How the program logs: one line an event, to standard error, as text or as JSON."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Literal

from folio.telemetry.context import current_ids
from folio.telemetry.tracing import trace_id

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the ids of what is being worked on."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **current_ids(),
        }
        if (trace := trace_id()) is not None:
            event["trace_id"] = trace
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False, default=str)


def logs_json() -> bool:
    """Whether configure_logging() was told so."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.root.handlers)


def configure_logging(level: str, log_format: Literal["text", "json"] = "text") -> None:
    """Send the log of Folio and of the web server to standard error, in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # Libraries' notes to their own developers.
    warnings.simplefilter("ignore", FutureWarning)
    for name in ("folio", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
