"""Brings a model from a hub into a folder of its own."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import httpx

from folio.checkpoints.folder import check_folder
from folio.checkpoints.hubs import Hub, HubFile
from folio.checkpoints.transfer import Transfer
from folio.errors import ModelDownloadError

# What the engine reads, and what the licence asks to be kept. No code: none of it is run.
WANTED = ("*.safetensors", "*.json", "tokenizer.model", "*.jinja", "LICENSE*", "README.md")
LOCK_NAME = ".download.lock"
TIMEOUT = httpx.Timeout(30.0, connect=15.0)


@dataclass(frozen=True)
class DownloadProgress:
    """Bytes of the whole model, and the file that is on its way."""

    path: str
    bytes_done: int
    num_bytes: int


OnProgress = Callable[[DownloadProgress], None]


def download_model(hub: Hub, model_id: str, folder: Path, on_progress: OnProgress) -> None:
    """Run again, it goes on where it stopped, and checks what is there.

    Raises ModelDownloadError, and ModelFilesError where the hub itself has no whole model.
    """
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        files = wanted_files(hub.list_files(client, model_id))
        if not files:
            raise ModelDownloadError(f"{model_id} at {hub.name} holds no files of a model.")
        try:
            with _alone_in(folder):
                check_disk(folder, files)
                _fetch_all(client, hub, files, folder, on_progress)
        except OSError as error:
            raise ModelDownloadError(
                f"{folder} cannot be written: {error.strerror or error}. Make room, or set "
                f"MODEL_CACHE_DIR to another folder."
            ) from error
    check_folder(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Whoever else downloads this model waits; then all is there. A death frees the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wanted_files(files: list[HubFile]) -> list[HubFile]:
    """Those of the model, the small ones first: what is wrong with it shows at once.

    Raises ModelDownloadError for a name that would lie outside the folder.
    """
    wanted = [file for file in files if any(fnmatch(file.path, name) for name in WANTED)]
    for file in wanted:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise ModelDownloadError(f"The hub names a file outside the model: {file.path}")
    return sorted(wanted, key=lambda file: (file.num_bytes, file.path))


def check_disk(folder: Path, files: list[HubFile]) -> None:
    """Raises ModelDownloadError where the files that are not here yet have no room."""
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    missing = sum(file.num_bytes for file in files) - here
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise ModelDownloadError(
            f"The model takes {missing / 1e9:.1f} GB more and {folder} has {free / 1e9:.1f} GB "
            f"free. Make room, or set MODEL_CACHE_DIR to another disk."
        )


def _fetch_all(
    client: httpx.Client, hub: Hub, files: list[HubFile], folder: Path, on_progress: OnProgress
) -> None:
    num_bytes = sum(file.num_bytes for file in files)
    bytes_done = 0
    for file in files:

        def on_bytes(count: int, path: str = file.path) -> None:
            nonlocal bytes_done
            bytes_done += count
            on_progress(DownloadProgress(path, bytes_done, num_bytes))

        Transfer(file, folder, on_bytes, hub=hub.name).run(client)
