"""What the service has taken in and not answered yet; closed when it is about to end."""

from collections.abc import Iterator, Set
from contextlib import contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from folio.api.problems import folio_problem
from folio.errors import ShuttingDownError

SHUTTING_DOWN = "The service is shutting down."


class Intake:
    """Counts the requests inside, and refuses new ones once it is closed."""

    def __init__(self) -> None:
        self.num_inside = 0
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Be inside. Raises ShuttingDownError."""
        if self.is_closed:
            raise ShuttingDownError(
                f"{SHUTTING_DOWN} Send it again when the service is back, or to another one."
            )
        self.num_inside += 1
        try:
            yield
        finally:
            self.num_inside -= 1


class IntakeGate:
    """ASGI middleware: what is posted to these paths passes through the intake, before its body."""

    def __init__(self, app: ASGIApp, *, intake: Intake, paths: Set[str]) -> None:
        self._app = app
        self._intake = intake
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_guarded(scope):
            await self._app(scope, receive, send)
            return
        try:
            with self._intake.admit():
                await self._app(scope, receive, send)
        except ShuttingDownError as error:
            await folio_problem(error)(scope, receive, send)

    def _is_guarded(self, scope: Scope) -> bool:
        return (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"].rstrip("/") in self._paths
        )
