"""Check the items of a batch, and say of all that is wrong with them where it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from api.checked_addresses import check_webhook_url
from api.job_request import SourceRequest, checked_s3, checked_source
from api.option_fields import native_options
from api.problems import Faults, faults_of, sentence
from api.settings import ApiSettings
from jobs.errors import RequestError
from jobs.options import JobOptions, Priority
from jobs.request_errors import InvalidOptions, UnknownModel, WebhookBlocked
from jobs.source import Source, UploadSource
from jobs.webhook import EventType, Webhook

if TYPE_CHECKING:
    from api.batch_request import BatchFields

FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """A job of a batch, as asked for."""

    options: JobOptions
    source: Source


def fault_of(pointer: str, code: str, detail: str) -> InvalidOptions:
    """Return the error of a request that one thing is wrong with."""
    return InvalidOptions(f"{pointer.lstrip('/')}: {detail}", problems=((pointer, code, detail),))


class ItemReader:
    """Reads the items of one batch, in their order.

    Raises:
        InvalidOptions, UnknownModel, WebhookBlocked: the defaults in `options` are at fault.
    """

    def __init__(self, fields: "BatchFields", settings: ApiSettings) -> None:
        self._settings = settings
        self._items: list[BatchItem] = []
        self._faults: list[tuple[str, str, str]] = []
        self._count = 0  # items read
        self._bad = 0  # of them at fault
        self._first_with: dict[str, int] = {}  # upload to the item that names it
        if fields.webhook is not None:
            check_webhook_url(fields.webhook.url, settings, pointer="/webhook/url")
        self._defaults = _defaults(fields)
        self.defaults = self._checked_defaults()

    def check_bucket(self, bucket: str) -> None:
        """Refuse a bucket that jobs may not read from.

        Raises:
            InvalidSource: it is not on the operator's list.
        """
        checked_s3(f"s3://{bucket}/any", self._settings)

    def read(self, raw: object) -> None:
        """Take the next item.

        Raises:
            InvalidOptions: it is one too many.
        """
        most = self._settings.max_batch_items
        if self._count == most:
            raise fault_of("/items", "too_long", f"a batch has at most {most} items")
        number, self._count = self._count, self._count + 1
        try:
            self._items.append(self._item(number, raw))
        except RequestError as error:
            self.refuse(number, _faults_in(error))

    def refuse(self, number: int, faults: Faults) -> None:
        """Note what is wrong with an item; pointers begin at the item."""
        self._bad += 1
        for pointer, code, detail in faults:
            if len(self._faults) < FAULTS_SHOWN:
                self._faults.append((f"/items/{number}{pointer}".rstrip("/"), code, detail))

    def items(self) -> tuple[BatchItem, ...]:
        """Return all items.

        Raises:
            InvalidOptions: some are at fault, or there are none.
        """
        if not self._count:
            raise fault_of("/items", "too_short", "a batch has at least one item")
        if self._bad:
            msg = f"{self._bad} of {self._count} items are at fault; nothing was taken in"
            if self._bad > 1 and len(self._faults) == FAULTS_SHOWN:
                msg += f"; the first {FAULTS_SHOWN} faults are in `errors`"
            raise InvalidOptions(msg, problems=tuple(self._faults))
        return tuple(self._items)

    def _checked_defaults(self) -> JobOptions:
        try:
            return native_options(self._defaults, self._settings)
        except RequestError as error:
            faults = tuple((f"/options{at}", code, why) for at, code, why in _faults_in(error))
            raise InvalidOptions(sentence(faults), problems=faults) from error

    def _item(self, number: int, raw: object) -> BatchItem:
        if not isinstance(raw, dict):
            raise fault_of("", "object_type", "an item is an object with a `source`")
        faults: Faults = ()
        source = options = None
        try:
            source = self._source(number, raw.get("source"))
        except RequestError as error:
            faults += _faults_in(error)
        try:
            options = self._options(raw)
        except RequestError as error:
            faults += _faults_in(error)
        if source is None or options is None:
            raise InvalidOptions(sentence(faults), problems=faults)
        return BatchItem(options=options, source=source)

    def _options(self, raw: Mapping[str, Any]) -> JobOptions:
        beside = {name: value for name, value in raw.items() if name not in ("source", "options")}
        inside = raw.get("options") or {}
        if not isinstance(inside, dict):
            raise fault_of("/options", "object_type", "`options` is an object")
        if twice := beside.keys() & inside.keys():
            msg = f"given twice, in `options` and beside it: {', '.join(sorted(twice))}"
            raise fault_of("/options", "given_twice", msg)
        said = beside | inside
        try:
            return native_options(self._defaults | said, self._settings)
        except RequestError as error:
            faults = tuple(
                (f"/options{at}" if at.split("/")[1] in inside else at, code, why)
                for at, code, why in _faults_in(error)
            )
            raise InvalidOptions(error.message, problems=faults) from error

    def _source(self, number: int, raw: object) -> Source:
        if raw is None:
            raise fault_of(
                "/source", "missing", "an item names its media: url, upload_id or s3_uri"
            )
        try:
            source = checked_source(SourceRequest.model_validate(raw), self._settings)
        except ValidationError as error:
            faults = tuple(
                (f"/source{at}".rstrip("/"), code, why) for at, code, why in faults_of(error)
            )
            raise InvalidOptions(sentence(faults), problems=faults) from error
        except RequestError as error:
            raise fault_of("/source", error.code, error.message) from error
        if isinstance(source, UploadSource):
            first = self._first_with.setdefault(source.upload_id, number)
            if first != number:
                msg = f"item {first} has the same upload; each makes one job"
                raise fault_of("/source/upload_id", "given_twice", msg)
        return source


def _faults_in(error: RequestError) -> Faults:
    if isinstance(error, InvalidOptions):
        return error.problems or (("/", error.code, error.message),)
    where = {UnknownModel: "/model", WebhookBlocked: "/webhook/url"}
    return ((where.get(type(error), "/"), error.code, error.message),)


def _defaults(fields: "BatchFields") -> dict[str, Any]:
    """Return what jobs are like that say no other."""
    defaults: dict[str, Any] = {"priority": Priority.BATCH}
    if fields.webhook is not None:
        of_jobs = [kind for kind in fields.webhook.events if kind in _OF_JOBS]
        if of_jobs:
            defaults["webhook"] = Webhook(url=fields.webhook.url, events=tuple(of_jobs))
    return defaults | fields.options


_OF_JOBS = frozenset(kind for kind in EventType if kind.startswith("job."))
