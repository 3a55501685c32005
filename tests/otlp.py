"""A collector of traces on a free port: takes what OpenTelemetry's exporters send over HTTP."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.programs import HOST


@dataclass(frozen=True)
class Span:
    """One that has arrived. Ids in hexadecimal; `service` is the process that sent it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


@dataclass(frozen=True)
class Collector:
    url: str
    spans: list[Span] = field(default_factory=list)

    def tree_of(self, root: Span) -> list[Span]:
        """All that hang on the root, in its trace."""
        found, open_ids = [], {root.span_id}
        while children := [
            span
            for span in self.spans
            if span.trace_id == root.trace_id and span.parent_id in open_ids
        ]:
            found += children
            open_ids = {child.span_id for child in children}
        return found

    def roots(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name and not span.parent_id]


@contextmanager
def running_collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                collector.spans.extend(_read(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        collector = Collector(f"http://{HOST}:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()


def _read(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                yield Span(attributes["service.name"], span.name, *ids)
