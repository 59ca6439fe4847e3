"""Take a job in: bytes to storage, ledger, record, message; from then on nothing loses it."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.multipart import FileHead
from api.receiving import HashingSink, Receive, Received
from api.restoring import restorer
from api.services import Services
from jobs.attachments import FirstOfItsKind, SameUnderWay, new_token
from jobs.errors import StoreUnavailable, Unavailable
from jobs.ids import new_id
from jobs.job import Job
from jobs.name_files import take
from jobs.request_errors import IdempotencyMismatch, QueueFull, SubmissionInProgress
from jobs.reservations import RECEIVING_SECONDS, HeldName, NameKind, Reservation
from jobs.source import UploadSource
from jobs.store import Condition
from jobs.uploads import ClaimedUpload

log = logging.getLogger(__name__)

_TRIES = 5  # of a request whose twin ends and comes again meanwhile


def submit(services: Services, owner: str, receive: Receive) -> Job:
    """Return the job that a request asks for, queued.

    Raises:
        RequestError: the request is at fault, or the owner's queue is full; nothing is kept.
        Unavailable: storage or the job store is away; nothing is kept.
    """
    must_have_room(services, owner)
    with _received(services, owner, receive) as new:
        _accept(services, new.job, [])
    return new.job


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The job that a name stands for."""

    job: Job
    is_replay: bool  # an earlier request with the same name and body made it


def submit_once(
    services: Services, owner: str, receive: Receive, *, kind: NameKind, name: str
) -> Named:
    """Return the job that this name stands for: that of the first request, if it is not this one.

    Raises:
        IdempotencyMismatch: the first request had another body.
        SubmissionInProgress: the first request is still being received.
        JobPurged: the job that the name stands for was deleted.
        Whatever `submit` raises.
    """
    reservation = take(services.reservations, services.files.names, owner, kind, name)
    if reservation.job_id is not None:
        received = receive(lambda head: _Unkept())
        if fingerprint_of(received) != reservation.fingerprint:
            msg = "this Idempotency-Key or id was used with another body; choose a new one"
            raise IdempotencyMismatch(msg)
        return Named(job=restorer(services).get(reservation.job_id), is_replay=True)
    try:
        must_have_room(services, owner)
        client_id = name if kind is NameKind.CLIENT_ID else None
        renewing = _renewing(services, reservation, receive)
        with _received(services, owner, renewing, client_id=client_id) as new:
            held = HeldName(reservation=reservation, fingerprint=new.fingerprint)
            _accept(services, new.job, [held])
    except BaseException:
        with suppress(Unavailable):  # then it lapses by itself
            services.reservations.give_back(reservation)
        raise
    try:
        services.files.names.write(owner, held.standing_for(new.job.id))
    except Unavailable as error:  # the job is there: only a lost Redis would forget its name
        log.warning("name not written down: %s", error, extra={"job_id": new.job.id})
    return Named(job=new.job, is_replay=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A job that ends when the last request that holds it lets go."""

    job: Job
    token: str  # to let go with


def submit_held(services: Services, owner: str, receive: Receive) -> Held:
    """Return the job that a request waits for: one under way for the same bytes and options.

    Raises:
        Whatever `submit` raises.
    """
    must_have_room(services, owner)
    with _received(services, owner, receive) as new:
        token = new_token()
        first = FirstOfItsKind(
            owner=owner, fingerprint=new.fingerprint, token=token, store=services.store
        )
        for _ in range(_TRIES):
            try:
                _accept(services, new.job, [first])
            except SameUnderWay:
                attached = services.attachments.attach(owner, new.fingerprint)
                if attached is not None:
                    # What this request sent is not needed: it waits for what the first one sent.
                    services.files.discard(new.job.id)
                    return Held(job=attached[0], token=attached[1])
            else:
                return Held(job=new.job, token=token)
        msg = "the same request ends and comes again too often; try again shortly"
        raise SubmissionInProgress(msg)


def must_have_room(services: Services, owner: str) -> None:
    """Raise QueueFull where an upload would be in vain."""
    limit = services.settings.max_queued_per_owner
    if services.store.queued_of(owner) >= limit:
        msg = f"{limit} of your jobs are waiting already; send more when some are done"
        raise QueueFull(msg)


def fingerprint_of(received: Received) -> str:
    """Return what two requests share that ask for the same: the bytes and the options."""
    told = received.source.model_dump_json() if received.source else received.media.sha256
    return hashlib.sha256(f"{told}\n{received.options.model_dump_json()}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A job whose media is stored, and that nobody knows of yet."""

    job: Job
    fingerprint: str


@contextmanager
def _received(
    services: Services, owner: str, receive: Receive, *, client_id: str | None = None
) -> Iterator[_New]:
    """Receive a request; on an exception inside, nothing of it is left.

    The client hears of the exception and sends again; this job must not run too.
    """
    created_at = datetime.now(UTC)
    job_id = new_id("job", created_at)
    with ExitStack() as on_exit:

        def open_media(head: FileHead) -> HashingSink:
            writer = services.files.media_writer(job_id, content_type=head.content_type)
            return on_exit.enter_context(writer)

        with services.receiving.take():
            received = receive(open_media)
    media = received.media
    if isinstance(received.source, UploadSource):
        media = services.uploads.get(received.source.upload_id, owner).media
    job = Job(
        id=job_id,
        owner=owner,
        client_id=client_id,
        options=received.options,
        media=media,
        source=received.source,
        created_at=created_at,
    )
    try:
        yield _New(job=job, fingerprint=fingerprint_of(received))
    except StoreUnavailable:
        # A Redis that did not answer in time may write the record yet: such a job needs its media.
        # Without record and ledger the media is nobody's, and cleared away (jobs/orphans.py).
        with suppress(Unavailable):
            services.files.withdraw_ledger(job_id)
        raise
    except BaseException:
        with suppress(Unavailable):
            services.files.discard(job_id)
        raise


def _accept(services: Services, job: Job, conditions: Sequence[Condition]) -> None:
    """Make the job durable, then known, then on its way."""
    if isinstance(job.source, UploadSource):
        claim = ClaimedUpload(upload_id=job.source.upload_id, owner=job.owner)
        conditions = [*conditions, claim]
    services.files.write_ledger(job)
    try:
        services.store.add(
            job, max_queued=services.settings.max_queued_per_owner, conditions=conditions
        )
    except QueueFull:
        if isinstance(job.source, UploadSource):  # it was the job's for a moment
            services.uploads.give_back(job.source.upload_id, job.id)
        raise
    services.dispatch.feed(job.options.priority, job.owner)


def _renewing(services: Services, reservation: Reservation, receive: Receive) -> Receive:
    """Keep a name taken for as long as the bytes of its request arrive."""

    def received(open_media: Callable[[FileHead], HashingSink]) -> Received:
        return receive(
            lambda head: _Renewing(
                sink=open_media(head), renew=lambda: services.reservations.renew(reservation)
            )
        )

    return received


@dataclass(slots=True, kw_only=True)
class _Renewing:
    """A sink that says every now and then that bytes still come."""

    sink: HashingSink
    renew: Callable[[], None]
    _renewed: float = field(default_factory=time.monotonic)

    @property
    def written_bytes(self) -> int:
        return self.sink.written_bytes

    @property
    def sha256(self) -> str:
        return self.sink.sha256

    def write(self, chunk: bytes | bytearray) -> None:
        self.sink.write(chunk)
        if time.monotonic() - self._renewed > RECEIVING_SECONDS / 4:
            self.renew()
            self._renewed = time.monotonic()


@dataclass(slots=True)
class _Unkept:
    """A sink that keeps nothing, for a body whose job is there already."""

    written_bytes: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, chunk: bytes | bytearray) -> None:
        self._hash.update(chunk)
        self.written_bytes += len(chunk)
