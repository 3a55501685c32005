"""A model hub on this machine: an HTTP server that speaks what Hugging Face and ModelScope speak.

Files are given out by another path than they are asked at (a redirect, as hubs do), in parts where
Range asks for them; it can break off in the middle, give out wrong bytes, and ask for a token.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FEW_FILES = 2  # on a page of Hugging Face's listing


@dataclass
class ModelHub:
    """What it holds, how it misbehaves, and what it was asked for."""

    model_id: str
    folder: Path
    token: str | None = None
    ignores_range: bool = False
    break_after_bytes: dict[str, list[int]] = field(default_factory=dict)
    wrong_bytes: dict[str, int] = field(default_factory=dict)  # how many times yet
    failures: dict[str, list[int]] = field(default_factory=dict)  # statuses to answer first
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # file, Range
    url: str = ""

    def names(self) -> list[str]:
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        )

    def ranges_of(self, name: str) -> list[str | None]:
        return [wanted for asked, wanted in self.requests if asked == name]

    def read(self, name: str) -> bytes:
        data = (self.folder / name).read_bytes()
        if self.wrong_bytes.get(name, 0):
            self.wrong_bytes[name] -= 1
            return bytes(len(data))
        return data


@contextmanager
def running_hub(hub: ModelHub) -> Iterator[ModelHub]:
    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        model = f"/{self.hub.model_id}"
        if not self._is_let_in():
            self._answer(401, {"error": "Invalid credentials"})
        elif path == f"/api/models{model}/revision/main":
            self._answer(200, {"id": self.hub.model_id, "sha": COMMIT})
        elif path == f"/api/models{model}/tree/{COMMIT}":
            self._list_for_hugging_face(int(query.get("cursor", "0")))
        elif path.startswith(f"{model}/resolve/{COMMIT}/"):
            self._redirect(path.removeprefix(f"{model}/resolve/{COMMIT}/"))
        elif path == f"/api/v1/models{model}/repo/files":
            self._list_for_modelscope()
        elif path == f"/api/v1/models{model}/repo":
            self._redirect(query["FilePath"])
        elif path.startswith("/storage/"):
            self._give(path.removeprefix("/storage/"))
        else:
            self._answer(404, {"error": "Repository not found"})

    def log_message(self, *args: object) -> None:
        """Nothing: the tests ask the hub what it was asked for."""

    def _is_let_in(self) -> bool:
        wanted = self.hub.token
        return wanted is None or self.headers.get("Authorization") == f"Bearer {wanted}"

    def _list_for_hugging_face(self, start: int) -> None:
        entries = [self._hugging_face_entry(name) for name in self.hub.names()]
        entries = [{"type": "directory", "path": "assets", "oid": "0" * 40, "size": 0}, *entries]
        headers = {}
        if len(entries) > start + FEW_FILES:
            address = f"{self.hub.url}/api/models/{self.hub.model_id}/tree/{COMMIT}"
            following = f"{address}?recursive=true&cursor={start + FEW_FILES}"
            headers["Link"] = f'<{following}>; rel="next"'
        self._answer(200, entries[start : start + FEW_FILES], headers)

    def _hugging_face_entry(self, name: str) -> dict[str, object]:
        data = (self.hub.folder / name).read_bytes()
        blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        entry: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": blob}
        if name.endswith(".safetensors"):
            digest = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 135}
        return entry

    def _list_for_modelscope(self) -> None:
        files: list[dict[str, object]] = [{"Type": "tree", "Path": "assets", "Name": "assets"}]
        for name in self.hub.names():
            data = (self.hub.folder / name).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            files.append({"Type": "blob", "Path": name, "Size": len(data), "Sha256": digest})
        self._answer(200, {"Code": 200, "Success": True, "Data": {"Files": files}})

    def _redirect(self, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.hub.url}/storage/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _give(self, name: str) -> None:
        wanted = self.headers.get("Range")
        self.hub.requests.append((name, wanted))
        if self.hub.failures.get(name):
            self._answer(self.hub.failures[name].pop(0), {"error": "later"})
            return
        data = self.hub.read(name)
        first, _, last = (wanted or "bytes=0-")[6:].partition("-")
        if self.hub.ignores_range:
            wanted, first, last = None, "0", ""
        start = int(first)
        if start >= len(data) > 0:
            self._answer(416, {"error": "Range"})
            return
        size = len(data)
        data = data[: int(last) + 1] if last else data
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{size}")
        self.end_headers()
        breaks = self.hub.break_after_bytes.get(name)
        if breaks:
            self.wfile.write(data[start : start + breaks.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
