"""What the forms of images and of documents have in common."""

from fastapi import Request

from folio.errors import InvalidInputError

MODE_HELP = "auto, tiny, small, base, large or gundam: how finely the page is looked at"
TASK_HELP = "markdown, ocr, free, figure, describe, locate (with query) or custom (with prompt)"
QUERY_HELP = "what to look for, with task=locate"
PROMPT_HELP = "your own words, with task=custom"
TOKENS_HELP = "the longest answer, in tokens"


async def require_one_file(request: Request, field: str) -> None:
    """Raises InvalidInputError: of several files, all but one would be lost without a word."""
    files = (await request.form()).getlist(field)
    if len(files) > 1:
        raise InvalidInputError(
            f"{len(files)} files were sent as {field} in one call. Send one file per call."
        )
