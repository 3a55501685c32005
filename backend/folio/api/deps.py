"""What routes ask for.

Every dependency is a coroutine, though none waits: FastAPI calls plain functions in a thread each,
and where documents are worked on a change of threads costs more than all the rest of a call.
"""

import logging
from collections.abc import Callable
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from folio.api.intake import Intake
from folio.config import Settings
from folio.engine import EngineState, OcrEngine
from folio.engine.running import RunningRequests
from folio.errors import EngineNotReadyError, StorageUnavailableError
from folio.jobs.image_records import ImageRecord
from folio.jobs.readiness import JobReadiness, Trouble
from folio.jobs.service import JobService

log = logging.getLogger(__name__)

_STILL_LOADING = "The model is still loading. Try again in a minute."


async def get_engine(request: Request) -> OcrEngine:
    engine: OcrEngine = request.app.state.engine
    return engine


async def get_intake(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


def require_ready(engine: OcrEngine) -> None:
    """Raises EngineNotReadyError. A page that is past it waits for an engine that heals."""
    status = engine.status
    if status.state is not EngineState.HEALTHY:
        raise EngineNotReadyError(status.reason or _STILL_LOADING)


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_decode_limiter(request: Request) -> CapacityLimiter:
    """How many images may be decoded at once: each can take hundreds of megabytes."""
    limiter: CapacityLimiter = request.app.state.decode_limiter
    return limiter


async def get_running(request: Request) -> RunningRequests:
    running: RunningRequests = request.app.state.running
    return running


async def get_job_service(request: Request) -> JobService:
    """Raises StorageUnavailableError where the database cannot hold tasks now."""
    problem = request.app.state.job_parts.database_problem
    if problem is not None:
        raise StorageUnavailableError(problem)
    jobs: JobService = request.app.state.jobs
    return jobs


async def get_record_image(request: Request) -> Callable[[ImageRecord], None]:
    """Without a database images are read all the same."""
    state = request.app.state
    record: Callable[[ImageRecord], None] = state.jobs.record_image
    return _log_unrecorded if state.job_parts.database_problem else record


async def find_job_trouble(request: Request) -> Trouble | None:
    """Why tasks cannot be kept or worked on now; None also before the service has started."""
    readiness: JobReadiness | None = request.app.state.job_readiness
    return await readiness.find_trouble() if readiness is not None else None


def _log_unrecorded(record: ImageRecord) -> None:
    log.warning("Image request %s is not recorded: the database cannot be used", record.task_id)


EngineDep = Annotated[OcrEngine, Depends(get_engine)]
IntakeDep = Annotated[Intake, Depends(get_intake)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
DecodeLimiterDep = Annotated[CapacityLimiter, Depends(get_decode_limiter)]
RunningDep = Annotated[RunningRequests, Depends(get_running)]
JobServiceDep = Annotated[JobService, Depends(get_job_service)]
RecordImageDep = Annotated[Callable[[ImageRecord], None], Depends(get_record_image)]
JobTroubleDep = Annotated[Trouble | None, Depends(find_job_trouble)]
