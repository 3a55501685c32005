"""Serves the built web page at /: files that were compressed when it was built, and for every
address that the page itself knows (/tasks/...) its index.html. Knows nothing of what is in it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

log = logging.getLogger(__name__)

INDEX = "index.html"
# What the service answers itself, there or not: a wrong address there gets a problem document.
_RESERVED = frozenset(
    {"api", "internal", "health", "livez", "readyz", "metrics", "docs", "redoc", "openapi.json"}
)
# By content coding, the best first.
_COMPRESSED = {"br": ".br", "gzip": ".gz"}
# Vite names what is in assets/ by its content.
_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
# Not the machine's own table of types, which differs from machine to machine.
_MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
}
_HEADERS = {
    # Model output is untrusted: no script but ours, and nothing from or to anywhere else. Inline
    # styles are the component library's; the page drops those of the model's text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def add_frontend(app: FastAPI, folder: Path) -> None:
    """Serve the page built in this folder, if it is there. After all other routes."""
    page = BuiltPage.find(folder)
    if page is None:
        log.info("No web page in %s: the service is its API. See frontend/README.md", folder)
        return
    app.router.routes.append(PageRoute("/{path:path}", page.respond, methods=["GET"], name="page"))


@dataclass(frozen=True)
class BuiltPage:
    """The files by their paths. Only these are ever opened, whatever a request asks for."""

    files: Mapping[str, Path]
    compressed: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)

    @classmethod
    def find(cls, folder: Path) -> "BuiltPage | None":
        """None where no page was built."""
        if not (folder / INDEX).is_file():
            return None
        found = {
            str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()
        }
        endings = tuple(_COMPRESSED.values())
        files = {name: path for name, path in found.items() if not name.endswith(endings)}
        compressed = {
            name: {
                coding: found[name + ending]
                for coding, ending in _COMPRESSED.items()
                if name + ending in found
            }
            for name in files
        }
        return cls(files, compressed)

    async def respond(self, request: Request) -> Response:
        name = request.path_params["path"]
        if name.startswith("assets/") and name not in self.files:
            # A page of an older build asks: index.html in the place of a script would hide that.
            return Response(status_code=404)
        name = name if name in self.files else INDEX
        path = self.files[name]
        headers = _HEADERS | {
            "Cache-Control": _IMMUTABLE if name.startswith("assets/") else _REVALIDATE,
            "Vary": "Accept-Encoding",
        }
        accepted = accepted_codings(request.headers.get("accept-encoding", ""))
        for coding, compressed in self.compressed.get(name, {}).items():
            if coding in accepted:
                path, headers["Content-Encoding"] = compressed, coding
                break
        media_type = _MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
        return FileResponse(path, headers=headers, media_type=media_type)


class PageRoute(Route):
    """Matches every address but those that are the service's own."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        first = scope["path"].removeprefix("/").partition("/")[0]
        return (Match.NONE, {}) if first in _RESERVED else super().matches(scope)


def accepted_codings(header: str) -> frozenset[str]:
    """Of an Accept-Encoding header (RFC 9110, 12.5.3); one with the weight 0 is refused."""
    accepted: set[str] = set()
    for part in header.lower().split(","):
        coding, _, weight = (piece.strip() for piece in part.partition(";"))
        if weight == "" or weight.replace(" ", "").strip("q=0.") != "":
            accepted.add(coding)
    return frozenset(accepted)
