"""Brings one file from a hub: goes on where an earlier try stopped, and checks what has arrived.

Why not huggingface_hub, see docs/decisions/0006-models-are-downloaded-by-folio.md.
"""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from folio.checkpoints.folder import PART_SUFFIX
from folio.checkpoints.hubs import HubFile, raise_for_refusal
from folio.errors import ModelDownloadError

MAX_FAILURES = 6
_FIRST_PAUSE_SECONDS = 0.25
_NAME_CHARACTERS = 12
_RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}

OnBytes = Callable[[int], None]
"""Told how many bytes have come; less than nothing when some have to come again. What it raises
ends the transfer, which goes on from there when it is begun anew."""


class Transfer:
    """One file on its way into a folder."""

    def __init__(self, file: HubFile, folder: Path, on_bytes: OnBytes, *, hub: str) -> None:
        self._file = file
        self._target = folder / file.path
        # Named after the content: the rest of another version is never put behind it.
        version = file.digest.value[:_NAME_CHARACTERS] if file.digest else str(file.num_bytes)
        self._part = self._target.with_name(f"{self._target.name}.{version}{PART_SUFFIX}")
        self._on_bytes = on_bytes
        self._hub = hub

    def run(self, client: httpx.Client) -> None:
        """Nothing is done where the file is here and right. Raises ModelDownloadError, OSError."""
        if self._is_right(self._target):
            self._on_bytes(self._file.num_bytes)
            return
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._fetch(client)
        if not self._is_right(self._part):
            self._start_again()
            self._fetch(client)
        if not self._is_right(self._part):
            self._start_again()
            raise ModelDownloadError(
                f"{self._file.path} has twice arrived with another content than {self._hub} says "
                f"it has. Try another mirror (HF_ENDPOINT) or hub (MODEL_HUB)."
            )
        self._part.replace(self._target)
        for part in self._target.parent.glob(f"{self._target.name}.*{PART_SUFFIX}"):
            part.unlink()  # of another version

    def _is_right(self, path: Path) -> bool:
        if not path.is_file() or path.stat().st_size != self._file.num_bytes:
            return False
        return self._file.digest is None or self._file.digest.matches(path)

    def _fetch(self, client: httpx.Client) -> None:
        """Until the part has its length; a connection that breaks is opened again, from there."""
        self._part.touch()
        self._on_bytes(self._length())
        num_failures = 0
        while (before := self._length()) < self._file.num_bytes:
            problem = self._try_to_fetch_rest(client)
            if self._length() > before:
                num_failures = 0
                continue
            num_failures += 1
            if num_failures == MAX_FAILURES:
                raise ModelDownloadError(
                    f"{self._file.path} stopped at {before:,} of {self._file.num_bytes:,} bytes "
                    f"({problem}). Run the command again: it goes on from there."
                )
            self._on_bytes(0)  # who hears it may end the wait with an error
            time.sleep(_FIRST_PAUSE_SECONDS * 2**num_failures)

    def _try_to_fetch_rest(self, client: httpx.Client) -> str:
        """What ended it, in words."""
        try:
            self._fetch_rest(client)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return "the hub sent nothing"

    def _fetch_rest(self, client: httpx.Client) -> None:
        start = self._length()
        # Compressed on the way, the bytes would not be those that Range counts.
        headers = {**self._file.headers, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with client.stream("GET", self._file.url, headers=headers) as answer:
            if answer.status_code in _RETRIED_STATUSES:
                answer.raise_for_status()
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._start_again()
                return
            raise_for_refusal(answer, self._hub)
            if start and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                self._start_again()  # this server sends everything, whatever it is asked for
            self._append(answer)

    def _append(self, answer: httpx.Response) -> None:
        with self._part.open("ab") as part:
            for data in answer.iter_bytes():
                part.write(data)
                self._on_bytes(len(data))

    def _start_again(self) -> None:
        self._on_bytes(-self._length())
        self._part.write_bytes(b"")

    def _length(self) -> int:
        return self._part.stat().st_size
