"""`folio.model.worker.PageWorker` on a CPU, where the service has no use for it."""

from vllm.v1.worker.cpu_worker import CPUWorker

from folio.model.worker import PageWorker


class WindowedCPUWorker(PageWorker, CPUWorker):
    """vLLM's CPU worker is one of its GPU worker's kind."""
