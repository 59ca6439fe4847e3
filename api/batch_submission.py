"""Take a batch in: all of it checked, its manifest to storage, its records to Redis.

A request has SECONDS for the records. What it cannot write down in this time, or because it or
Redis dies, the housekeeper writes down from the manifest: the batch is accepted before the first of
them, and answered with 202 from then on.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Request

from api.batch_items import BatchItem, fault_of
from api.batch_request import BatchAsked, receive_batch
from api.receiving import media_named_by
from api.services import Services
from api.submission import must_have_room
from jobs.batch import Batch
from jobs.errors import RequestError, Unavailable
from jobs.ids import new_id
from jobs.job import Job
from jobs.media import Media
from jobs.name_files import take
from jobs.options import Priority
from jobs.request_errors import IdempotencyMismatch, InvalidOptions, QueueFull
from jobs.reservations import RECEIVING_SECONDS, HeldName, NameKind
from jobs.source import S3Source, UploadSource, UrlSource

SECONDS = 8.0  # a request is answered within ten
_MOST_FAULTS = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBatch:
    """The batch that a request stands for."""

    batch_id: str
    is_replay: bool  # an earlier request with the same Idempotency-Key and body made it


def submit_batch(
    services: Services, owner: str, request: Request, *, key: str | None
) -> NamedBatch:
    """Return the batch that a request asks for, accepted; or that of the first with this key.

    Raises:
        RequestError: the request is at fault, or the owner's queue has no room; nothing is kept.
        Unavailable: storage or the job store is away; nothing is kept.
    """
    # Its items are in memory and cost seconds of a processor, so only so many at once.
    with services.batch_places.take():
        if key is None:
            must_have_room(services, owner)
            asked = receive_batch(request, services.settings)
            return NamedBatch(batch_id=_accept(services, owner, asked, None), is_replay=False)
        return _submit_once(services, owner, request, key)


def _submit_once(services: Services, owner: str, request: Request, key: str) -> NamedBatch:
    names = services.files.names
    reservation = take(services.reservations, names, owner, NameKind.IDEMPOTENCY_KEY, key)
    if reservation.job_id is not None:
        if receive_batch(request, services.settings).fingerprint != reservation.fingerprint:
            msg = "this Idempotency-Key was used with another body; choose a new one"
            raise IdempotencyMismatch(msg)
        return NamedBatch(batch_id=reservation.job_id, is_replay=True)
    renewing = _Renewing(renew=lambda: services.reservations.renew(reservation))
    try:
        must_have_room(services, owner)
        asked = receive_batch(request, services.settings, on_chunk=renewing)
        services.reservations.renew(reservation)
        name = HeldName(reservation=reservation, fingerprint=asked.fingerprint)
        batch_id = _accept(services, owner, asked, name)
    except BaseException:
        with suppress(Unavailable):  # then it lapses by itself
            services.reservations.give_back(reservation)
        raise
    with suppress(Unavailable):  # Redis knows it; only should that be emptied is it missed
        names.write(owner, name.standing_for(batch_id))
    return NamedBatch(batch_id=batch_id, is_replay=False)


@dataclass(slots=True, kw_only=True)
class _Renewing:
    """Says every now and then that bytes still come."""

    renew: Callable[[], None]
    _renewed: float = field(default_factory=time.monotonic)

    def __call__(self) -> None:
        if time.monotonic() - self._renewed > RECEIVING_SECONDS / 4:
            self.renew()
            self._renewed = time.monotonic()


def _accept(services: Services, owner: str, asked: BatchAsked, name: HeldName | None) -> str:
    """Make the batch durable, then known, then its jobs; return its id."""
    items = _listed(services, asked) if asked.bucket is not None else asked.items
    limit = services.settings.max_queued_per_owner
    if services.store.queued_of(owner) + len(items) > limit:
        msg = f"{len(items)} more would be over the {limit} jobs of yours that may wait"
        raise QueueFull(msg)
    medias = _medias(services, owner, items)
    created_at = datetime.now(UTC)
    batch = Batch(
        id=new_id("bat", created_at),
        owner=owner,
        total=len(items),
        external_id=asked.fields.external_id,
        tags=asked.fields.tags,
        metadata=asked.fields.metadata,
        webhook=asked.fields.webhook,
        priority=max((item.options.priority for item in items), key=list(Priority).index),
        has_headers=any(
            isinstance(item.source, UrlSource) and bool(item.source.headers) for item in items
        ),
        created_at=created_at,
    )
    # Sorted, so that lists of ids have the order of the manifest; each is as unguessable as ever.
    ids = sorted(new_id("job", created_at) for _ in items)
    jobs = [
        Job(
            id=job_id,
            owner=owner,
            batch_id=batch.id,
            options=item.options,
            media=media,
            source=item.source,
            created_at=created_at,
        )
        for job_id, item, media in zip(ids, items, medias, strict=True)
    ]
    services.batch_work.add(batch, jobs, max_queued=limit, name=name)
    try:
        if not services.batch_work.write_down(batch, jobs, seconds=SECONDS):
            log.warning("batch %s: the housekeeper writes down the rest", batch.id)
        for priority in {job.options.priority for job in jobs}:
            services.dispatch.feed(priority, owner)
    except Unavailable as error:
        log.warning("batch %s: left to the housekeeper: %s", batch.id, error)
    return batch.id


def _listed(services: Services, asked: BatchAsked) -> tuple[BatchItem, ...]:
    """Return an item for each media below the prefix."""
    bucket = asked.bucket or ""
    keys = services.batch_files.media_below(
        bucket, asked.prefix, limit=services.settings.max_batch_items
    )
    items = []
    for key in keys:
        try:
            source = S3Source(type="s3", s3_uri=f"s3://{bucket}/{key}")
        except ValueError as error:
            raise fault_of("/s3_prefix", "invalid_source", f"no job can name {key!r}") from error
        items.append(BatchItem(options=asked.defaults, source=source))
    return tuple(items)


def _medias(services: Services, owner: str, items: Sequence[BatchItem]) -> list[Media]:
    """Return what is known of the media of each item.

    Raises:
        InvalidOptions: uploads are not to be had.
    """
    medias = []
    faults: list[tuple[str, str, str]] = []
    for number, item in enumerate(items):
        media = media_named_by(item.source)
        if isinstance(item.source, UploadSource):
            try:
                upload = services.uploads.get(item.source.upload_id, owner)
                upload.must_be_to_be_had()
                media = upload.media
            except RequestError as error:
                faults.append((f"/items/{number}/source/upload_id", error.code, error.message))
        medias.append(media)
    if faults:
        msg = f"{len(faults)} of {len(items)} items are at fault; nothing was taken in"
        raise InvalidOptions(msg, problems=tuple(faults[:_MOST_FAULTS]))
    return medias
