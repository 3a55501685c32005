"""Traces: one tree of spans for each upload, through the queue and over HTTP to the engine.

Until `configure_tracing` is called, which needs OpenTelemetry's SDK, all of this does nothing.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing
from typing import Any, TypeVar

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind

Output = TypeVar("Output")
Carrier = Mapping[str, str]
"""How a span is named in a request's headers and in a task's row: `traceparent` and its like."""

_tracer = trace.get_tracer("folio")


def configure_tracing(service_name: str) -> None:
    """Send spans to OTEL_EXPORTER_OTLP_ENDPOINT, over HTTP. OTEL_SERVICE_NAME and the SDK's other
    variables hold. Raises ImportError without the packages of the extra `tracing`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", service_name)
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Carrier | None = None,
    **attributes: Any,
) -> AbstractContextManager[Span]:
    """A span around a block, under the present one or under the parent that another process named.
    Not for async generators, which may be closed elsewhere: see traced()."""
    return _tracer.start_as_current_span(
        name,
        context=propagate.extract(parent) if parent else None,
        kind=kind,
        attributes=attributes,
    )


def record_span(name: str, begin: float, end: float) -> None:
    """A span of what is over already, under the present one. Times in seconds of the epoch."""
    _tracer.start_span(name, start_time=round(begin * 1e9)).end(round(end * 1e9))


async def traced(
    name: str, outputs: AsyncGenerator[Output, None], **attributes: Any
) -> AsyncGenerator[Output, None]:
    """The same outputs. Their work is done inside a span, whoever asks for them."""
    with _tracer.start_span(name, attributes=attributes) as present:
        inside = trace.set_span_in_context(present)
        async with aclosing(outputs):
            while True:
                token = context.attach(inside)
                try:
                    output = await anext(outputs)
                except StopAsyncIteration:
                    return
                finally:
                    context.detach(token)
                yield output


def carrier() -> dict[str, str]:
    """The present span, for headers and for the database. Empty where there is none."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def trace_id() -> str | None:
    """Of the present span, in hexadecimal."""
    present = trace.get_current_span().get_span_context()
    return trace.format_trace_id(present.trace_id) if present.is_valid else None
