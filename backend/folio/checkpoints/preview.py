"""What a model at a hub is, before it is downloaded: its config, and the heads of its weights."""

import json

import httpx

from folio.checkpoints.description import ModelDescription, describe_config, sum_weights
from folio.checkpoints.download import TIMEOUT, wanted_files
from folio.checkpoints.folder import CONFIG_NAME
from folio.checkpoints.hubs import Hub, HubFile, raise_for_refusal
from folio.checkpoints.safetensors_header import (
    LENGTH_BYTES,
    TensorEntry,
    header_length,
    parse_header,
)
from folio.errors import ModelDownloadError


def describe_at_hub(hub: Hub, model_id: str) -> ModelDescription:
    """Some hundred kilobytes of a model of any size. Raises ModelDownloadError, ModelFilesError."""
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        files = {file.path: file for file in wanted_files(hub.list_files(client, model_id))}
        try:
            config = json.loads(_read(client, hub, files[CONFIG_NAME]))
            weights = [file for path, file in files.items() if path.endswith(".safetensors")]
            headers = [_read_header(client, hub, file) for file in weights]
        except (KeyError, ValueError, httpx.HTTPError) as error:
            raise ModelDownloadError(
                f"{hub.name} does not show what {model_id} is ({error!r}). Download it first: "
                f"folio model download {model_id}"
            ) from error
    return describe_config(config, sum_weights(headers))


def _read_header(client: httpx.Client, hub: Hub, file: HubFile) -> dict[str, TensorEntry]:
    length = header_length(_read(client, hub, file, 0, LENGTH_BYTES), file.num_bytes)
    return dict(parse_header(_read(client, hub, file, LENGTH_BYTES, LENGTH_BYTES + length)))


def _read(
    client: httpx.Client, hub: Hub, file: HubFile, start: int = 0, end: int | None = None
) -> bytes:
    """Bytes from start to before end. A hub that knows no ranges is not read to its end."""
    headers = {**file.headers, "Accept-Encoding": "identity"}
    if end is not None:
        headers["Range"] = f"bytes={start}-{end - 1}"
    with client.stream("GET", file.url, headers=headers) as answer:
        raise_for_refusal(answer, hub.name)
        if end is not None and answer.status_code != httpx.codes.PARTIAL_CONTENT:
            raise ValueError("it gives out whole files only")
        return answer.read()
