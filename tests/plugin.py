"""Makes Folio's vLLM plugin known to processes where the package is not installed."""

from importlib.metadata import entry_points
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PLUGIN_GROUP = "vllm.general_plugins"
ENTRY_POINT = f"[{PLUGIN_GROUP}]\nfolio = folio.model.register:register\n"
METADATA = "Metadata-Version: 2.1\nName: folio-ocr\nVersion: 0\n"


def plugin_paths(folder: Path) -> list[str]:
    """What PYTHONPATH must hold for child processes; `folder` may be written into."""
    paths = [str(REPOSITORY), str(REPOSITORY / "backend")]
    if not any(point.name == "folio" for point in entry_points(group=PLUGIN_GROUP)):
        paths.append(str(_write_distribution(folder)))
    return paths


def _write_distribution(folder: Path) -> Path:
    """The least that makes an entry point known."""
    distribution = folder / "folio_ocr-0.dist-info"
    distribution.mkdir(parents=True, exist_ok=True)
    (distribution / "METADATA").write_text(METADATA)
    (distribution / "entry_points.txt").write_text(ENTRY_POINT)
    return folder
