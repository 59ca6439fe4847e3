"""Say what can go wrong, in the words a client meets.

The class is chosen by what happens next:

    ServiceError            code: what programs read; the message may be shown to a client
    ├── RequestError        the request must change         API: 4xx       jobs/request_errors.py
    ├── MediaError          this media cannot be processed  job fails      never retried
    ├── Unavailable         a dependency did not answer     API: 503       retried with backoff
    ├── OutOfMemory         half the batch may fit          job is retried once, alone
    ├── HandedBack          the worker has to end           another one does the job
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


class FetchFailed(MediaError):
    """The address in `source` has no such media for us: a 404, a 401, a redirect to nowhere."""

    code = "fetch_failed"


class FetchBlocked(MediaError):
    """The address in `source` is one that this service must not call."""

    code = "fetch_blocked"


class FetchedTooLarge(MediaError):
    """What the address in `source` sends is over the limit of this service."""

    code = "too_large"


class UnsuitableModel(MediaError):
    """The model cannot do what the options ask: a language or task it was not trained for."""

    code = "unsuitable_model"


class Unavailable(ServiceError):
    """A dependency did not answer; the same request may succeed later."""


class StoreUnavailable(Unavailable):
    """Redis did not answer."""

    code = "store_unavailable"


class JobNotRestored(StoreUnavailable):
    """Redis was emptied, and it is not known yet whether there is such a job."""


class StorageUnavailable(Unavailable):
    """Object storage did not answer."""

    code = "storage_unavailable"


class QueueUnavailable(Unavailable):
    """The broker took no message."""

    code = "queue_unavailable"


class SourceUnavailable(Unavailable):
    """The address in `source` did not answer, or answered that it cannot at the moment."""

    code = "fetch_failed"


class ModelUnavailable(Unavailable):
    """A model is not in the cache and could not be fetched."""

    code = "model_unavailable"


class OutOfMemory(ServiceError):
    """The GPU or the machine has no memory left for this job; half the batch may fit."""

    code = "out_of_memory"


class HandedBack(ServiceError):
    """The worker is told to end, so that its jobs go to others; nothing is wrong with them."""

    code = "handed_back"


class LeaseLost(ServiceError):
    """The job is another attempt's by now; whatever this one knows of it is void."""

    code = "lease_lost"
