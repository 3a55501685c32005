"""Every error that Folio raises on purpose.

    FolioError
    ├── InvalidInputError             400  invalid_input
    ├── UnauthorizedError             401  unauthorized
    ├── ForbiddenError                403  forbidden
    ├── TooLargeError                 413
    │   ├── UploadTooLargeError            upload_too_large
    │   ├── ImageTooLargeError             image_too_large
    │   └── TooManyPagesError              too_many_pages
    ├── UnsupportedMediaTypeError     415  unsupported_media_type
    ├── UnreadableFileError           422
    │   ├── CorruptImageError              corrupt_image
    │   ├── CorruptDocumentError           corrupt_document
    │   └── EncryptedDocumentError         encrypted_document
    ├── EngineError
    │   ├── EngineOverloadedError     429  engine_overloaded
    │   ├── EngineNotReadyError       503  engine_not_ready
    │   │   └── ShuttingDownError          shutting_down
    │   ├── EngineTimeoutError        504  engine_timeout
    │   └── EngineFailedError         500  engine_failed
    ├── SetUpError                    503
    │   ├── ModelFilesError                model_files
    │   ├── ModelDownloadError             model_download
    │   └── SettingsConflictError          settings_conflict
    ├── RequestCanceledError          409  request_canceled
    ├── TaskNotFoundError             404  task_not_found
    ├── TaskNotFinishedError          409  task_not_finished
    ├── TaskAlreadyFinishedError      409  task_already_finished
    ├── StoredFileNotFoundError       404  stored_file_not_found
    └── StorageUnavailableError       503  storage_unavailable

The message of each is for the person who can act on it. `code` is stable: clients rely on it.
"""


class FolioError(Exception):
    """Base of the tree. `retryable` says whether the same call can succeed later.

    values: what the message names, for programs: the problem document has them as members.
    """

    code = "internal_error"
    status = 500
    title = "Internal error"
    retryable = False

    def __init__(self, message: str, **values: str | float) -> None:
        super().__init__(message)
        self.message = message
        self.values = values


def error_codes() -> set[str]:
    """The codes of the whole tree."""
    kinds = [FolioError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.code for kind in kinds}


class InvalidInputError(FolioError):
    """The request itself is wrong: an unknown mode, an empty file, a bad page range."""

    code = "invalid_input"
    status = 400
    title = "Invalid input"


class UnauthorizedError(FolioError):
    """No valid credentials came with the request."""

    code = "unauthorized"
    status = 401
    title = "Unauthorized"


class ForbiddenError(FolioError):
    """The call is known and refused to everybody, as /internal/infer is without a token set."""

    code = "forbidden"
    status = 403
    title = "Forbidden"


class TooLargeError(FolioError):
    """A limit on size was passed."""

    status = 413


class UploadTooLargeError(TooLargeError):
    """The upload has more bytes than the service accepts."""

    code = "upload_too_large"
    title = "Upload too large"


class ImageTooLargeError(TooLargeError):
    """The image has more pixels, or a longer side, than the service decodes."""

    code = "image_too_large"
    title = "Image too large"


class TooManyPagesError(TooLargeError):
    """The document has more pages than the service accepts."""

    code = "too_many_pages"
    title = "Too many pages"


class UnsupportedMediaTypeError(FolioError):
    """The content, whatever its name says, is of no type that Folio reads."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class UnreadableFileError(FolioError):
    """The type is right, the content is broken or closed."""

    status = 422


class CorruptImageError(UnreadableFileError):
    """The image does not decode to its end."""

    code = "corrupt_image"
    title = "Corrupt image"


class CorruptDocumentError(UnreadableFileError):
    """The document does not open."""

    code = "corrupt_document"
    title = "Corrupt document"


class EncryptedDocumentError(UnreadableFileError):
    """The document asks for a password."""

    code = "encrypted_document"
    title = "Encrypted document"


class EngineError(FolioError):
    """The engine cannot answer now."""

    retryable = True


class EngineOverloadedError(EngineError):
    """The queue before the engine is full."""

    code = "engine_overloaded"
    status = 429
    title = "Engine overloaded"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EngineNotReadyError(EngineError):
    """The model is still loading, or the engine has died."""

    code = "engine_not_ready"
    status = 503
    title = "Engine not ready"


class ShuttingDownError(EngineNotReadyError):
    """The service is about to end, and takes nothing new in."""

    code = "shutting_down"
    title = "Shutting down"


class EngineTimeoutError(EngineError):
    """The engine did not finish within the time limit."""

    code = "engine_timeout"
    status = 504
    title = "Engine timeout"


class EngineFailedError(EngineError):
    """Engine after engine has ended on this page: it is not sent to another one."""

    code = "engine_failed"
    title = "Engine failed"
    retryable = False


class SetUpError(FolioError):
    """The engine cannot start before somebody mends something: where it is not `retryable`, trying
    again does not help."""

    status = 503


class ModelFilesError(SetUpError):
    """The model's folder is not whole, or holds another kind of model."""

    code = "model_files"
    title = "Model files"


class ModelDownloadError(SetUpError):
    """The model could not be brought from its hub, which may be back in a minute."""

    code = "model_download"
    title = "Model download"
    retryable = True


class SettingsConflictError(SetUpError):
    """Settings that do not go with each other, with the model, or with this machine."""

    code = "settings_conflict"
    title = "Settings conflict"


class RequestCanceledError(FolioError):
    """Somebody canceled the task that this request to the engine belongs to."""

    code = "request_canceled"
    status = 409
    title = "Request canceled"


class TaskNotFoundError(FolioError):
    """There is no task with this id: it was deleted, or its time to be kept is over."""

    code = "task_not_found"
    status = 404
    title = "Task not found"


class TaskNotFinishedError(FolioError):
    """The task still runs, so it has no result yet."""

    code = "task_not_finished"
    status = 409
    title = "Task not finished"


class TaskAlreadyFinishedError(FolioError):
    """The task has ended, in a way that rules the call out: a canceled one has no result."""

    code = "task_already_finished"
    status = 409
    title = "Task already finished"


class StoredFileNotFoundError(FolioError):
    """The storage has no file under this key: it was deleted, or never written to its end."""

    code = "stored_file_not_found"
    status = 404
    title = "Stored file not found"


class StorageUnavailableError(FolioError):
    """Files or the database cannot be read or written now: a full disk, a server that is down."""

    code = "storage_unavailable"
    status = 503
    title = "Storage unavailable"
    retryable = True
