"""What an operator watches, for Prometheus: declared here, counted where it happens.

Names are stable, since dashboards and alerts rely on them. Labels have few values, and are no ids:
what happened to one page is for the log and for traces. docs/guides/observability.md explains all.
"""

from contextlib import AbstractContextManager
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from folio.errors import error_codes

_QUICK_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


class Stage(StrEnum):
    """What a page goes through: up to DECODE in the service, the rest where documents are read."""

    DECODE_FILE = "decode_file"
    PREPROCESS = "preprocess"
    QUEUE = "queue"
    PREFILL = "prefill"
    DECODE = "decode"
    RENDER = "render"
    PICTURES = "pictures"
    STORE = "store"


class Loss(StrEnum):
    """How an engine is lost."""

    DIED = "died"
    HUNG = "hung"
    NOT_STARTED = "not_started"


REQUESTS = Counter(
    "folio_http_requests", "Requests that were answered.", ["method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "folio_http_request_seconds",
    "From the first byte of a request to the last of its answer.",
    ["route"],
    buckets=_LONG_SECONDS,
)
PROBLEMS = Counter("folio_problems", "Error answers, by the code in their body.", ["code"])

PAGES = Counter("folio_pages", "Pages that have their outcome.", ["kind", "status"])
TASKS = Counter("folio_tasks", "Documents that have ended.", ["status", "code"])
RUNGS = Counter(
    "folio_page_readings",
    "Readings of documents' pages: asked is the first one, all others are repairs.",
    ["rung"],
)
STAGE_SECONDS = Histogram(
    "folio_stage_seconds", "What one page spends in a stage.", ["stage"], buckets=_QUICK_SECONDS
)

TOKENS = Counter("folio_tokens", "Tokens that went through the engine.", ["type"])
GENERATIONS = Counter("folio_generations", "Requests to the engine, by their end.", ["end"])
FIRST_TOKEN_SECONDS = Histogram(
    "folio_time_to_first_token_seconds",
    "From the request to the engine, its queue included, to the first text.",
    buckets=_LONG_SECONDS,
)

ENGINE_STATE = Gauge("folio_engine_state", "1 for the state that the engine is in.", ["state"])
ENGINES = Gauge("folio_engines", "Engines by their state: one, or DATA_PARALLEL_SIZE.", ["state"])
ENGINE_REQUESTS = Gauge("folio_engine_requests", "Pages in the engine, its queue included.")
ENGINE_LOSSES = Counter(
    "folio_engine_losses", "Engines that died, hung or did not start.", ["cause"]
)
PAGES_READ_AGAIN = Counter(
    "folio_engine_pages_read_again", "Pages that were sent to the next engine after a loss."
)

QUEUED_TASKS = Gauge("folio_queue_tasks", "Documents that have not ended.", ["status"])
QUEUED_PAGES = Gauge("folio_queue_pages", "Their pages that have no outcome yet.")
QUEUE_AGE_SECONDS = Gauge(
    "folio_queue_age_seconds", "How long the oldest document that nobody has begun has waited."
)


# Prometheus sees no rise in a series that begins at 1, so what is rare is there before it happens.
for _loss in Loss:
    ENGINE_LOSSES.labels(_loss)
for _code in error_codes():
    PROBLEMS.labels(_code)
    TASKS.labels("failed", _code)


def timed(stage: Stage) -> AbstractContextManager[object]:
    """Observe what the block takes."""
    return STAGE_SECONDS.labels(stage).time()
