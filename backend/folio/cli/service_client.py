"""Has files read by a Folio service, over HTTP."""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import httpx

from folio.cli.readings import (
    OutputFormat,
    Reading,
    body_of_image,
    text_of_document,
    warnings_of_document,
    warnings_of_image,
)
from folio.documents import FileType, sniff
from folio.documents.sniff import HEAD_BYTES


@dataclass(frozen=True)
class ReadProgress:
    """Pages done, pages in all (None while unknown), and the state in words."""

    pages_done: int
    num_pages: int | None
    message: str


OnProgress = Callable[[ReadProgress], None]

_POLL_SECONDS = (0.2, 0.3, 0.5, 1.0)
_MAX_BUSY_SECONDS = 600.0
_MAX_LOST_SECONDS = 60.0
_LOST_PAUSE_SECONDS = 2.0
_BUSY = frozenset({429, 503})
_UPLOAD_TIMEOUT = httpx.Timeout(30.0, read=900.0, write=120.0)


class ReadError(Exception):
    """A file could not be read. The message is for the user."""


@dataclass(frozen=True)
class ReadOptions:
    """What is asked for: form fields of the service, and what is wanted back."""

    image_fields: Mapping[str, str]
    document_fields: Mapping[str, str]
    output_format: OutputFormat
    with_figures: bool


class ServiceClient:
    """One service. `client` has its address."""

    def __init__(self, client: httpx.AsyncClient, options: ReadOptions) -> None:
        self._client = client
        self._options = options

    async def read(self, path: Path, on_progress: OnProgress) -> Reading:
        """Read an image or a document, told by its content. Raises ReadError."""
        try:
            with path.open("rb") as file:
                if sniff(file.read(HEAD_BYTES)) in (FileType.PDF, FileType.TIFF):
                    return await self._read_document(path.name, file, on_progress)
                return await self._read_image(path.name, file, on_progress)
        except OSError as error:
            raise ReadError(f"The file cannot be opened ({error.strerror}).") from error
        except httpx.TransportError as error:
            raise ReadError(self._explain_silence(error)) from error

    async def _read_image(self, name: str, file: IO[bytes], on_progress: OnProgress) -> Reading:
        on_progress(ReadProgress(0, 1, "reading"))
        answer = await self._post("image", name, file, self._options.image_fields)
        body = body_of_image(answer, self._options.output_format)
        return Reading(body, warnings=warnings_of_image(answer))

    async def _read_document(self, name: str, file: IO[bytes], on_progress: OnProgress) -> Reading:
        on_progress(ReadProgress(0, None, "sending"))
        task_id = (await self._post("pdf", name, file, self._options.document_fields))["task_id"]
        try:
            task = await self._wait_for_end(task_id, on_progress)
        except asyncio.CancelledError:
            with suppress(httpx.TransportError):
                await self._client.delete(f"/api/tasks/{task_id}")
            raise
        if task["status"] != "succeeded":
            why = task["error"]["message"] if task["error"] else f"The task was {task['status']}."
            raise ReadError(why)
        return await self._fetch(task)

    async def _post(
        self, field: str, name: str, file: IO[bytes], fields: Mapping[str, str]
    ) -> dict[str, Any]:
        """The service's answer; while it is busy or loads its model, its turn is waited for."""
        waited = 0.0
        while True:
            file.seek(0)
            response = await self._client.post(
                f"/api/ocr/{field}",
                files={field: (name, file)},
                data=dict(fields),
                timeout=_UPLOAD_TIMEOUT,
            )
            pause = float(response.headers.get("Retry-After", "0"))
            if response.status_code not in _BUSY or not pause or waited > _MAX_BUSY_SECONDS:
                return _checked(response)
            waited += pause
            await asyncio.sleep(pause)

    async def _wait_for_end(self, task_id: str, on_progress: OnProgress) -> dict[str, Any]:
        pauses = iter(_POLL_SECONDS)
        pause = _POLL_SECONDS[0]
        while True:
            task = await self._get_task(task_id)
            state = task["progress"]
            on_progress(ReadProgress(state["pages_done"], state["num_pages"], state["message"]))
            if task["status"] not in ("queued", "running"):
                return task
            pause = next(pauses, pause)
            await asyncio.sleep(pause)

    async def _get_task(self, task_id: str) -> dict[str, Any]:
        """A service that restarts goes on with the task: it is waited for, for a while."""
        lost_seconds = 0.0
        while True:
            try:
                response = await self._client.get(f"/api/tasks/{task_id}")
                if response.status_code < 500 or lost_seconds > _MAX_LOST_SECONDS:
                    return _checked(response)
            except httpx.TransportError:
                if lost_seconds > _MAX_LOST_SECONDS:
                    raise
            lost_seconds += _LOST_PAUSE_SECONDS
            await asyncio.sleep(_LOST_PAUSE_SECONDS)

    async def _fetch(self, task: Mapping[str, Any]) -> Reading:
        result = task["result"]
        body = (await self._download(result["json_url"])).decode()
        document = json.loads(body)
        warnings = warnings_of_document(document)
        match self._options.output_format:
            case OutputFormat.JSON:
                return Reading(body, warnings=warnings)
            case OutputFormat.TXT:
                return Reading(text_of_document(document), warnings=warnings)
        markdown = (await self._download(result["markdown_url"])).decode()
        has_figures = self._options.with_figures and "![](images/" in markdown
        figures = _figures(await self._download(result["zip_url"])) if has_figures else {}
        return Reading(markdown, figures, warnings)

    async def _download(self, url: str) -> bytes:
        response = await self._client.get(url)
        _check(response)
        return response.content

    def _explain_silence(self, error: httpx.TransportError) -> str:
        url = str(self._client.base_url).rstrip("/")
        if isinstance(error, httpx.ConnectError):
            return (
                f"No service answers at {url}. Start one with `folio serve`, name another with "
                "--url, or use --local."
            )
        return f"The connection to {url} broke off ({type(error).__name__}). Try again."


def _checked(response: httpx.Response) -> dict[str, Any]:
    _check(response)
    answer: dict[str, Any] = response.json()
    return answer


def _check(response: httpx.Response) -> None:
    """Raises ReadError with what the service says."""
    if response.is_success:
        return
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = f"The service answered {response.status_code}. Is it a Folio service?"
    raise ReadError(str(detail))


def _figures(archive: bytes) -> dict[str, bytes]:
    """The pictures that the ZIP has in images/, by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {
            PurePosixPath(name).name: files.read(name)
            for name in files.namelist()
            if name.startswith("images/") and not name.endswith("/")
        }
