"""Say what can go wrong, in the words a client meets.

The class is chosen by what happens next:

    ServiceError            code: what programs read; the message may be shown to a client
    ├── RequestError        the request must change         API: 4xx       never reaches a worker
    ├── MediaError          this media cannot be processed  job fails      never retried
    ├── Unavailable         a dependency did not answer     API: 503       retried with backoff
    └── LeaseLost           the job is another worker's     this attempt stops without a word

Anything else that is raised is a bug: it is logged with its traceback, the job fails as
`internal`, and no detail leaves the building.
"""

from typing import ClassVar


class ServiceError(Exception):
    """An error that a client may be told about."""

    code: ClassVar[str]

    @property
    def message(self) -> str:
        """What happened and what to do next, fit for a client's eyes."""
        return str(self)


class RequestError(ServiceError):
    """The request must change before it can succeed."""


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


class TooLarge(RequestError):
    """The upload is over the limit of this service."""

    code = "too_large"


class JobNotFound(RequestError):
    """No job has this id, or it belongs to somebody else."""

    code = "job_not_found"


class JobPurged(RequestError):
    """The job was deleted, or its time ran out."""

    code = "job_purged"


class TranscriptNotReady(RequestError):
    """The job has no transcript (yet); its status says why."""

    code = "transcript_not_ready"


class IllegalMove(RequestError):
    """The job's status does not allow this."""

    code = "illegal_move"


class MediaError(ServiceError):
    """This media cannot be processed, however often it is tried."""


class UnsupportedMedia(MediaError):
    """The bytes are no audio or video that we read."""

    code = "unsupported_media"


class CorruptMedia(MediaError):
    """A known container whose audio cannot be decoded."""

    code = "corrupt_media"


class NoAudioStream(MediaError):
    """A readable container without sound: a silent video, an image."""

    code = "no_audio_stream"


class TooLong(MediaError):
    """More audio than one job may hold."""

    code = "too_long"


class UnsuitableModel(MediaError):
    """The model cannot do what the options ask: a language or task it was not trained for."""

    code = "unsuitable_model"


class Unavailable(ServiceError):
    """A dependency did not answer; the same request may succeed later."""


class StoreUnavailable(Unavailable):
    """Redis did not answer."""

    code = "store_unavailable"


class StorageUnavailable(Unavailable):
    """Object storage did not answer."""

    code = "storage_unavailable"


class QueueUnavailable(Unavailable):
    """The broker took no message."""

    code = "queue_unavailable"


class ModelUnavailable(Unavailable):
    """A model is not in the cache and could not be fetched."""

    code = "model_unavailable"


class LeaseLost(ServiceError):
    """The job is another attempt's by now; whatever this one knows of it is void."""

    code = "lease_lost"
