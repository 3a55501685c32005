"""The Celery application: where messages lie, and what happens to those of dead workers.

What is sent is a task's id and nothing else. Messages may be lost or come twice: the database
says what is to be done, see docs/decisions/0005.
"""

from typing import Any

from celery import Celery

from folio.config import Settings

QUEUE = "folio"
ADVANCE = "folio.advance"
MEMORY_BROKER = "memory://localhost/"

_POLLING_SECONDS = 0.01  # what a message waits for in the embedded worker, on average half of it
_SOCKET_TIMEOUT_SECONDS = 3.0


def make_celery(settings: Settings) -> Celery:
    """No I/O. Without CELERY_BROKER_URL messages go from thread to thread of this process."""
    url = settings.jobs.celery_broker_url
    broker = MEMORY_BROKER if url is None else url.get_secret_value()
    celery = Celery("folio", broker=broker, set_as_current=False)
    celery.conf.update(_conf(is_embedded=url is None))
    if broker.startswith("redis://"):
        celery.conf.broker_transport = "folio.jobs.redis_transport:Transport"
    return celery


def _conf(*, is_embedded: bool) -> dict[str, Any]:
    return {
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": QUEUE,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_pool_start_method": "fork",
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": _SOCKET_TIMEOUT_SECONDS,
        "broker_transport_options": _transport_options(is_embedded=is_embedded),
    }


def _transport_options(*, is_embedded: bool) -> dict[str, Any]:
    if is_embedded:
        return {"polling_interval": _POLLING_SECONDS}
    return {
        # Redis gives out again what was not acknowledged for so long. By then the reaper has
        # long had its message sent again; this one finds its work done or claimed.
        "visibility_timeout": 3600,
        "socket_connect_timeout": _SOCKET_TIMEOUT_SECONDS,
        "socket_timeout": _SOCKET_TIMEOUT_SECONDS,
    }
