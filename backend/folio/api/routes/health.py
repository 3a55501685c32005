"""Is the service alive, and can it read pages?"""

from fastapi import APIRouter, Response

from folio import __version__
from folio.api.deps import EngineDep, SettingsDep
from folio.api.schemas import HealthResponse, LiveResponse
from folio.config import Settings
from folio.engine import EngineState, OcrEngine

router = APIRouter(tags=["health"])

INFERENCE_ENGINE = "vllm_direct"
EMBEDDED_MODEL_NOTE = (
    "The small model that ships with Folio: plain printed Latin text only. "
    "Set MODEL_PATH to the published DeepSeek-OCR for real work."
)


@router.get("/health", responses={503: {"model": HealthResponse}})
async def health(engine: EngineDep, settings: SettingsDep, response: Response) -> HealthResponse:
    """200 when pages can be read; 503 with the reason while the model loads or after a failure."""
    answer = _health(engine, settings)
    response.status_code = 200 if answer.model_loaded else 503
    return answer


@router.get("/livez")
async def livez() -> LiveResponse:
    """The process lives and its event loop turns."""
    return LiveResponse(status="alive")


@router.get("/readyz", responses={503: {"model": HealthResponse}})
async def readyz(engine: EngineDep, settings: SettingsDep, response: Response) -> HealthResponse:
    """The same as /health, under the name that orchestrators ask for."""
    return await health(engine, settings, response)


def _health(engine: OcrEngine, settings: Settings) -> HealthResponse:
    status = engine.status
    return HealthResponse(
        status=status.state.value,
        model_loaded=status.state is EngineState.HEALTHY,
        inference_engine=INFERENCE_ENGINE,
        model=status.model,
        model_note=EMBEDDED_MODEL_NOTE if settings.engine.uses_embedded_model else None,
        version=__version__,
        reason=status.reason,
        requests_in_progress=status.num_requests,
    )
