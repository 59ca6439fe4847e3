"""Read what a client asks for at `/v1/batches`, in any of the ways it can be said."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)
from pydantic_core import from_json

from api.batch_items import BatchItem, ItemReader, fault_of
from api.multipart import FileHead, FormReader, body_of
from api.problems import faults_of, sentence
from api.settings import ApiSettings
from jobs.options import JobOptions, ShortText
from jobs.request_errors import (
    InvalidOptions,
    InvalidSource,
    MalformedRequest,
    TooLarge,
    UnsupportedRequest,
)
from jobs.webhook import EventType, Webhook, WebhookEvents, WebhookUrl

MAX_BODY_BYTES = 32 * 1024**2
MAX_LINE_BYTES = 256 * 1024
LINES = (
    "application/x-ndjson",
    "application/jsonl",
    "application/ndjson",
    "application/x-jsonlines",
)
_PREFIX = re.compile(r"s3://(?P<bucket>[^/\s]{3,63})/(?P<prefix>.{0,1024})")


_M = TypeVar("_M", bound=BaseModel)


class BatchWebhook(Webhook):
    """Who is told that the batch is over, and if it asks for them of its jobs' events too."""

    url: WebhookUrl
    events: WebhookEvents = (EventType.BATCH_COMPLETED,)


def _small(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Hold a batch's metadata to the rule for a job's."""
    try:
        return JobOptions(metadata=metadata).metadata
    except ValidationError as error:
        raise ValueError(faults_of(error)[0][2]) from error


class BatchFields(BaseModel):
    """What is said of a batch beside its items."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: dict[str, JsonValue] = Field(default_factory=dict)  # of every job that says no other
    external_id: ShortText | None = None
    tags: Annotated[tuple[ShortText, ...], Field(max_length=20)] = ()
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_small)] = Field(default_factory=dict)
    webhook: BatchWebhook | None = None


class BatchRequest(BatchFields):
    """A batch in JSON: what its jobs are, or the prefix of an S3 address below which they are."""

    items: list[Any] | None = None
    s3_prefix: Annotated[str, StringConstraints(max_length=1100)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAsked:
    """A batch as a client asks for it, valid as far as that can be seen without looking around."""

    fields: BatchFields
    defaults: JobOptions  # of every job
    items: tuple[BatchItem, ...]
    bucket: str | None = None  # where the media is to be looked for; there are no items then
    prefix: str = ""

    @property
    def fingerprint(self) -> str:
        """Return what two requests share that ask for the same."""
        digest = hashlib.sha256(self.fields.model_dump_json().encode())
        digest.update(f"{self.bucket}/{self.prefix}\n".encode())
        for item in self.items:
            digest.update(item.options.model_dump_json(exclude_defaults=True).encode())
            digest.update(item.source.model_dump_json().encode())
        return digest.hexdigest()


def receive_batch(
    request: Request, settings: ApiSettings, *, on_chunk: Callable[[], None] = lambda: None
) -> BatchAsked:
    """Read a request for a batch.

    Args:
        request: not read yet.
        settings: what jobs may ask for.
        on_chunk: called whenever some of the body has come.

    Raises:
        RequestError: it is at fault; of its items, all faults are told at once.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    chunks = _bounded(body_of(request), on_chunk)
    if request.mimetype in LINES:
        return _asked(BatchFields(), _lines(chunks), settings)
    if request.mimetype == "multipart/form-data":
        return _from_form(request, settings, on_chunk)
    if request.mimetype == "application/json" or request.mimetype.endswith("+json"):
        return _from_json(_json(b"".join(chunks)), settings)
    msg = f"send application/json, multipart/form-data, or a job a line as {LINES[0]}"
    raise UnsupportedRequest(msg)


def _from_json(body: object, settings: ApiSettings) -> BatchAsked:
    if isinstance(body, list):
        return _asked(BatchFields(), body, settings)
    asked = _checked(BatchRequest, body)
    fields = BatchFields.model_construct(
        **{name: getattr(asked, name) for name in BatchFields.model_fields}
    )
    if (asked.items is None) == (asked.s3_prefix is None):
        raise fault_of("/items", "missing", "a batch has either `items` or `s3_prefix`")
    if asked.items is not None:
        return _asked(fields, asked.items, settings)
    found = _PREFIX.fullmatch(asked.s3_prefix or "")
    if found is None:
        msg = "`s3_prefix` is written s3://bucket/prefix/"
        raise InvalidSource(msg)
    reader = ItemReader(fields, settings)
    reader.check_bucket(found["bucket"])
    return BatchAsked(
        fields=fields,
        defaults=reader.defaults,
        items=(),
        bucket=found["bucket"],
        prefix=found["prefix"],
    )


def _from_form(request: Request, settings: ApiSettings, on_chunk: Callable[[], None]) -> BatchAsked:
    manifest = _Manifest(on_chunk)
    reader = FormReader(
        file_field="file",
        max_file_bytes=MAX_BODY_BYTES,
        open_sink=lambda head, fields: manifest.begun(head),
    )
    form = reader.read(request)
    if form.file is None:
        msg = "the form has no manifest: send it as the part 'file', a job a line"
        raise MalformedRequest(msg)
    told: dict[str, Any] = {}
    for name, texts in form.fields.items():
        if len(texts) > 1 and name != "tags":
            raise fault_of(f"/{name}", "given_twice", f"{name} is given twice")
        if name == "tags":
            told[name] = [tag.strip() for text in texts for tag in text.split(",") if tag.strip()]
        elif texts[0]:  # an empty field means unset, as in a browser's form
            told[name] = texts[0] if name == "external_id" else _json(texts[0].encode())
    lines = _lines(iter([bytes(manifest.content)]))
    return _asked(_checked(BatchFields, told), lines, settings)


class _Manifest:
    """A sink that keeps what comes, as the options may come after it."""

    def __init__(self, on_chunk: Callable[[], None]) -> None:
        self.content = bytearray()
        self._on_chunk = on_chunk

    def begun(self, head: FileHead) -> "_Manifest":
        return self

    @property
    def written_bytes(self) -> int:
        return len(self.content)

    def write(self, chunk: bytes | bytearray) -> None:
        self.content += chunk
        self._on_chunk()


def _asked(
    fields: BatchFields, raw: Iterator[object] | list[object], settings: ApiSettings
) -> BatchAsked:
    most = settings.max_batch_items
    if isinstance(raw, list) and len(raw) > most:  # before any is looked at
        raise fault_of("/items", "too_long", f"{len(raw)} items; a batch has at most {most}")
    reader = ItemReader(fields, settings)
    for item in raw:
        reader.read(item)
    return BatchAsked(fields=fields, defaults=reader.defaults, items=reader.items())


def _checked(model: type[_M], body: object) -> _M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = faults_of(error)
        raise InvalidOptions(sentence(faults), problems=faults) from error


def _lines(chunks: Iterator[bytes]) -> Iterator[object]:
    """Yield what each line says, while they come; empty ones are passed over."""
    rest = b""
    number = 0
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield _json(line, where=f"line {number}")
        if len(rest) > MAX_LINE_BYTES:
            msg = f"line {number + 1} is over {MAX_LINE_BYTES // 1024} KiB"
            raise TooLarge(msg)
    if rest.strip():
        yield _json(rest, where=f"line {number + 1}")


def _json(text: bytes, *, where: str = "the body") -> object:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        msg = f"{where} is no JSON: {error}"
        raise MalformedRequest(msg) from error


def _bounded(chunks: Iterator[bytes], on_chunk: Callable[[], None]) -> Iterator[bytes]:
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if received > MAX_BODY_BYTES:
            raise _too_large()
        on_chunk()
        yield chunk


def _too_large() -> TooLarge:
    return TooLarge(f"a batch is at most {MAX_BODY_BYTES // 1024**2} MiB; send it in several")
