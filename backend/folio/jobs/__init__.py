"""Documents as tasks: submitted, split into pages, worked on, recovered, finished. No HTTP."""

from folio.jobs.options import DocumentOptions

__all__ = ["DocumentOptions"]
