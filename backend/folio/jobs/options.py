"""What a user asks for with a document, as it is kept with the task."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from folio.documents import parse_page_ranges
from folio.documents.rendering import DEFAULT_DPI, check_dpi
from folio.pipeline.page import AUTO, PageOptions
from folio.pipeline.prompts import PDF_PAGE_NO_REPEAT_NGRAM, Task


@dataclass(frozen=True)
class DocumentOptions:
    """Checked when made: raises InvalidInputError. `pages` as users write it ("1-3,7")."""

    mode: str = AUTO
    task: str = Task.MARKDOWN
    query: str | None = None
    prompt: str | None = None
    max_tokens: int | None = None
    pages: str | None = None
    dpi: int = DEFAULT_DPI

    def __post_init__(self) -> None:
        self.page_options()
        check_dpi(self.dpi)
        if self.pages is not None:
            parse_page_ranges(self.pages)

    def page_options(self) -> PageOptions:
        """How each of its pages is read."""
        return PageOptions(
            mode=self.mode,
            task=self.task,
            query=self.query,
            prompt=self.prompt,
            max_tokens=self.max_tokens,
            no_repeat_ngram=PDF_PAGE_NO_REPEAT_NGRAM,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, options: dict[str, Any]) -> Self:
        """Fields that this version does not know are left out: a newer one may have queued it."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in options.items() if name in known})
