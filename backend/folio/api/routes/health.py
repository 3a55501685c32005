"""Is the service alive, and can it read pages?"""

from fastapi import APIRouter, Response

from folio import __version__
from folio.api.deps import EngineDep, IntakeDep, JobTroubleDep, SettingsDep
from folio.api.intake import SHUTTING_DOWN
from folio.api.schemas import HealthResponse, LiveResponse
from folio.config import Settings
from folio.engine import EngineState, OcrEngine
from folio.errors import ShuttingDownError
from folio.jobs.readiness import Trouble

router = APIRouter(tags=["health"])

INFERENCE_ENGINE = "vllm_direct"
_SHUTTING_DOWN = Trouble(ShuttingDownError.code, SHUTTING_DOWN)
EMBEDDED_MODEL_NOTE = (
    "The small model that ships with Folio: plain printed Latin text only. "
    "Set MODEL_PATH to the published DeepSeek-OCR for real work."
)


@router.get("/health", responses={503: {"model": HealthResponse}})
async def health(
    engine: EngineDep,
    settings: SettingsDep,
    intake: IntakeDep,
    job_trouble: JobTroubleDep,
    response: Response,
) -> HealthResponse:
    """200 when pages can be read and tasks be kept; 503 with the reason while the model loads, when
    the engine, the database or the broker is out of reach, and when the service is about to end.
    Answers within about a second."""
    answer = _health(engine, settings, _SHUTTING_DOWN if intake.is_closed else job_trouble)
    response.status_code = 200 if answer.status == "healthy" else 503
    return answer


@router.get("/livez")
async def livez() -> LiveResponse:
    """The process lives and its event loop turns."""
    return LiveResponse(status="alive")


@router.get("/readyz", responses={503: {"model": HealthResponse}})
async def readyz(
    engine: EngineDep,
    settings: SettingsDep,
    intake: IntakeDep,
    job_trouble: JobTroubleDep,
    response: Response,
) -> HealthResponse:
    """The same as /health, under the name that orchestrators ask for."""
    return await health(engine, settings, intake, job_trouble, response)


def _health(engine: OcrEngine, settings: Settings, trouble: Trouble | None) -> HealthResponse:
    status = engine.status
    is_healthy = status.state is EngineState.HEALTHY
    return HealthResponse(
        status="unhealthy" if is_healthy and trouble else status.state.value,
        model_loaded=is_healthy,
        inference_engine=INFERENCE_ENGINE,
        model=status.model,
        model_note=EMBEDDED_MODEL_NOTE if settings.engine.uses_embedded_model else None,
        version=__version__,
        reason=" ".join(filter(None, (status.reason, trouble.message if trouble else None)))
        or None,
        reason_code=status.reason_code or (trouble.code if trouble else None),
        engines=[state.value for state in status.engines] or None,
        requests_in_progress=status.num_requests,
    )
