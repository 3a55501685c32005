"""What routes ask for."""

from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from folio.config import Settings
from folio.engine import OcrEngine


def get_engine(request: Request) -> OcrEngine:
    engine: OcrEngine = request.app.state.engine
    return engine


def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def get_decode_limiter(request: Request) -> CapacityLimiter:
    """How many images may be decoded at once: each can take hundreds of megabytes."""
    limiter: CapacityLimiter = request.app.state.decode_limiter
    return limiter


EngineDep = Annotated[OcrEngine, Depends(get_engine)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
DecodeLimiterDep = Annotated[CapacityLimiter, Depends(get_decode_limiter)]
