"""Say why a request must change before it can succeed; the API answers 4xx, no worker sees one."""

from jobs.errors import RequestError


class MalformedRequest(RequestError):
    """The body is not what its content type says, or a part of it is missing."""

    code = "malformed_request"


class InvalidOptions(RequestError):
    """An option is unknown or out of its range.

    Args:
        problems: one (pointer, code, detail) for each option at fault; pointer as in RFC 6901.
    """

    code = "invalid_options"

    def __init__(self, message: str, *, problems: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class UnsupportedRequest(RequestError):
    """The body is of a content type that this call does not read."""

    code = "unsupported_content_type"


class UnknownModel(RequestError):
    """The model is not on the list of this deployment."""

    code = "unknown_model"


class UnknownFormat(RequestError):
    """No such rendering of a transcript exists."""

    code = "unknown_format"


class EmptyMedia(RequestError):
    """The upload holds no bytes."""

    code = "empty_media"


class InvalidSource(RequestError):
    """What `source` names cannot be fetched by this service."""

    code = "invalid_source"


class SourceBlocked(RequestError):
    """The address in `source` is one that this service must not call."""

    code = "fetch_blocked"


class NotAuthenticated(RequestError):
    """The request names no key, or one that this service does not know."""

    code = "not_authenticated"


class NotAllowed(RequestError):
    """Nobody may do this from where the request comes from."""

    code = "not_allowed"


class RateExceeded(RequestError):
    """More requests than one owner may send in a while."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(RequestError):
    """The owner has as many jobs waiting as this service takes."""

    code = "queue_full"


class TooManyUploads(RequestError):
    """The owner has as many uploads under way as this service takes."""

    code = "too_many_uploads"


class TooManyWaiting(RequestError):
    """As many clients wait for an answer as this service holds."""

    code = "too_many_waiting"


class UploadStalled(RequestError):
    """The body stopped coming, or comes too slowly to hold a thread for it."""

    code = "upload_stalled"


class SubmissionInProgress(RequestError):
    """A request with the same Idempotency-Key or id is still being received."""

    code = "submission_in_progress"


class IdempotencyMismatch(RequestError):
    """The Idempotency-Key or id was used with another body."""

    code = "idempotency_mismatch"


class UploadNotFound(RequestError):
    """No upload has this id, or it belongs to somebody else, or its time ran out."""

    code = "upload_not_found"


class UploadIncomplete(RequestError):
    """Not all bytes of the upload are there."""

    code = "upload_incomplete"


class UploadUsed(RequestError):
    """A job has taken this upload already."""

    code = "upload_used"


class MediaNotKept(RequestError):
    """The media is not in storage (yet): its worker has to fetch it first."""

    code = "media_not_kept"


class TooLarge(RequestError):
    """The upload is over the limit of this service."""

    code = "too_large"


class JobNotFound(RequestError):
    """No job has this id, or it belongs to somebody else."""

    code = "job_not_found"


class JobPurged(RequestError):
    """The job was deleted, or its time ran out."""

    code = "job_purged"


class BatchNotFound(RequestError):
    """No batch has this id, or it belongs to somebody else."""

    code = "batch_not_found"


class BatchPurged(RequestError):
    """The batch was deleted, or all its jobs were."""

    code = "batch_purged"


class TranscriptNotReady(RequestError):
    """The job has no transcript (yet); its status says why."""

    code = "transcript_not_ready"


class IllegalMove(RequestError):
    """The job's status does not allow this."""

    code = "illegal_move"


class EndpointNotFound(RequestError):
    """No webhook endpoint has this id, or it belongs to somebody else."""

    code = "webhook_not_found"


class EndpointDisabled(RequestError):
    """The webhook endpoint is called no longer until its owner says so."""

    code = "webhook_disabled"


class DeliveryNotFound(RequestError):
    """No delivery has this id, or it belongs to somebody else, or it is too long ago."""

    code = "delivery_not_found"


class TooManyEndpoints(RequestError):
    """The owner has as many webhook endpoints as this service calls for one."""

    code = "too_many_webhooks"


class WebhookBlocked(RequestError):
    """The address of a webhook is one that this service must not call."""

    code = "webhook_blocked"
