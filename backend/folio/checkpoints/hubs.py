"""What a model hub says of a model's files, over its HTTP API: names, sizes, digests, addresses."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from folio.errors import ModelDownloadError

Answer = TypeVar("Answer")

_READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Digest:
    """A hash as hubs give it. `git` is the one of a blob: SHA-1 over a header and the content."""

    kind: str
    value: str

    def matches(self, path: Path) -> bool:
        if self.kind == "git":
            digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        else:
            digest = hashlib.sha256()
        with path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
        return digest.hexdigest() == self.value


@dataclass(frozen=True)
class HubFile:
    """One file of a model. `path` is relative to the model's folder."""

    path: str
    num_bytes: int
    url: str
    digest: Digest | None
    headers: Mapping[str, str] = field(default_factory=dict)


class Hub(Protocol):
    """Lists a model's files. Raises ModelDownloadError."""

    name: str

    def list_files(self, client: httpx.Client, model_id: str) -> list[HubFile]: ...


class HuggingFace:
    """huggingface.co or a mirror of it."""

    name = "Hugging Face"

    def __init__(self, endpoint: str, token: str | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def list_files(self, client: httpx.Client, model_id: str) -> list[HubFile]:
        """Of the newest commit; the addresses name it, so that they keep meaning these files."""
        api = f"{self._endpoint}/api/models/{model_id}"
        commit = parse(_HuggingFaceModel, self._get(client, f"{api}/revision/main"), self.name)
        return [
            HubFile(
                path=entry.path,
                num_bytes=entry.size,
                url=f"{self._endpoint}/{model_id}/resolve/{commit.sha}/{quote(entry.path)}",
                digest=entry.digest,
                headers=self._headers,
            )
            for entry in self._entries(client, f"{api}/tree/{commit.sha}?recursive=true")
            if entry.type == "file"
        ]

    def _entries(self, client: httpx.Client, url: str | None) -> Iterator["_HuggingFaceEntry"]:
        while url:
            answer = self._get(client, url)
            yield from parse(list[_HuggingFaceEntry], answer, self.name)
            url = answer.links.get("next", {}).get("url")

    def _get(self, client: httpx.Client, url: str) -> httpx.Response:
        return get(client, url, self._headers, hub=self.name)


class _HuggingFaceModel(BaseModel):
    sha: str


class _LargeFile(BaseModel):
    oid: str


class _HuggingFaceEntry(BaseModel):
    """A line of the tree. `oid` is git's; a file in large storage has a SHA-256 of its own."""

    type: str
    path: str
    oid: str = ""
    size: int = 0
    lfs: _LargeFile | None = None

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self.lfs.oid) if self.lfs else Digest("git", self.oid)


class ModelScope:
    """modelscope.cn, by the two addresses that its own package asks."""

    name = "ModelScope"

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")

    def list_files(self, client: httpx.Client, model_id: str) -> list[HubFile]:
        repository = f"{self._endpoint}/api/v1/models/{model_id}/repo"
        url = f"{repository}/files?Revision=master&Recursive=true"
        listing = parse(_ModelScopeListing, get(client, url, {}, hub=self.name), self.name)
        return [
            HubFile(
                path=entry.path,
                num_bytes=entry.size,
                url=f"{repository}?Revision=master&FilePath={quote(entry.path, safe='')}",
                digest=Digest("sha256", entry.sha256) if entry.sha256 else None,
            )
            for entry in listing.data.files
            if entry.type == "blob"
        ]


class _ModelScopeEntry(BaseModel):
    type: str = Field(alias="Type")
    path: str = Field(alias="Path")
    size: int = Field(0, alias="Size")
    sha256: str = Field("", alias="Sha256")


class _ModelScopeFiles(BaseModel):
    files: list[_ModelScopeEntry] = Field(alias="Files")


class _ModelScopeListing(BaseModel):
    data: _ModelScopeFiles = Field(alias="Data")


def get(client: httpx.Client, url: str, headers: Mapping[str, str], *, hub: str) -> httpx.Response:
    """Raises ModelDownloadError for every answer but a good one."""
    try:
        answer = client.get(url, headers=dict(headers))
    except httpx.HTTPError as error:
        host = httpx.URL(url).host
        raise ModelDownloadError(
            f"{hub} cannot be reached at {host} ({error}). Check the network, or set HF_ENDPOINT "
            f"to a mirror, or MODEL_HUB=modelscope; offline, copy the model's folder here and set "
            f"MODEL_PATH to it."
        ) from error
    raise_for_refusal(answer, hub)
    return answer


def raise_for_refusal(answer: httpx.Response, hub: str) -> None:
    """Translate a hub's answer that no retry can mend."""
    if answer.is_success:
        return
    if answer.status_code in (401, 403, 404):
        raise ModelDownloadError(
            f"{hub} answers {answer.status_code} for {answer.url.path}. Check the model's id; a "
            f"model that is private or must be agreed to needs a token in HF_TOKEN; a folder named "
            f"so is not on this machine."
        )
    raise ModelDownloadError(f"{hub} answers {answer.status_code}. Try again later.")


def parse(kind: type[Answer], answer: httpx.Response, hub: str) -> Answer:
    """An answer of the hub's API. Raises ModelDownloadError where it is something else."""
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise ModelDownloadError(
            f"What answers at {answer.url.host} does not speak the API of {hub}. Check the address."
        ) from error
