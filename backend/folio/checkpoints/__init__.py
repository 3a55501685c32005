"""A model's files: where they come from, whether they are whole, and what they say of the model."""

from folio.checkpoints.description import ModelDescription, describe
from folio.checkpoints.download import DownloadProgress, download_model
from folio.checkpoints.folder import check_folder
from folio.checkpoints.places import find_folder, is_hub_id
from folio.checkpoints.preview import describe_at_hub

__all__ = [
    "DownloadProgress",
    "ModelDescription",
    "check_folder",
    "describe",
    "describe_at_hub",
    "download_model",
    "find_folder",
    "is_hub_id",
]
