"""POST /api/ocr/pdf: a document in, the id of its task out."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from folio.api.deps import JobServiceDep
from folio.api.forms import (
    MODE_HELP,
    PROMPT_HELP,
    QUERY_HELP,
    TASK_HELP,
    TOKENS_HELP,
    require_one_file,
)
from folio.api.problems import problems
from folio.api.schemas import SubmittedResponse
from folio.api.task_rendering import task_path
from folio.documents.rendering import DEFAULT_DPI
from folio.jobs.options import DocumentOptions

router = APIRouter(tags=["ocr"])

PATH = "/api/ocr/pdf"
_CHUNK_BYTES = 1024 * 1024
PAGES_HELP = (
    'which pages to read: "1-3,7". Without it, all. A page that the document does not have makes '
    "the task fail with invalid_input: how many it has is known once a worker has opened it"
)
DPI_HELP = "how finely pages are drawn, 36 to 600; a huge page is drawn more coarsely"


@router.post(
    PATH,
    status_code=202,
    responses={
        202: {
            "headers": {
                "Location": {"description": "the task's address", "schema": {"type": "string"}}
            }
        },
        **problems(400, 413, 415, 422, 503),
    },
)
async def submit_document(
    request: Request,
    response: Response,
    jobs: JobServiceDep,
    pdf: Annotated[UploadFile, File(description="a PDF, or a TIFF with all its frames")],
    mode: Annotated[str, Form(description=MODE_HELP)] = "auto",
    task: Annotated[str, Form(description=TASK_HELP)] = "markdown",
    query: Annotated[str | None, Form(description=QUERY_HELP)] = None,
    prompt: Annotated[str | None, Form(description=PROMPT_HELP)] = None,
    max_tokens: Annotated[int | None, Form(ge=1, description=TOKENS_HELP)] = None,
    pages: Annotated[str | None, Form(description=PAGES_HELP)] = None,
    dpi: Annotated[int, Form(description=DPI_HELP)] = DEFAULT_DPI,
) -> SubmittedResponse:
    """Queue a document. Its state, its progress and its results are at the address in Location.

    The answer comes when the upload is safe. A document that is broken or encrypted is found out
    when it is opened: its task then fails, with corrupt_document or encrypted_document.
    """
    await require_one_file(request, "pdf")
    options = DocumentOptions(
        mode=mode,
        task=task,
        query=query,
        prompt=prompt,
        max_tokens=max_tokens,
        pages=pages or None,
        dpi=dpi,
    )
    task_id = await jobs.submit_document(pdf.filename or "", _chunks(pdf), options)
    response.headers["Location"] = task_path(task_id)
    return SubmittedResponse(task_id=task_id)


async def _chunks(upload: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await upload.read(_CHUNK_BYTES):
        yield chunk
