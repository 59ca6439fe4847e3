"""Read what a client asks for at `/v1/jobs`: a form with media, or JSON that says where it is."""

from typing import Annotated, Any

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from api.checked_addresses import may_be_called
from api.json_bodies import read_model
from api.option_fields import native_options, options_from_form
from api.receiving import OpenMedia, Received, media_named_by, receive_form
from api.settings import ApiSettings
from jobs.options import JobOptions
from jobs.request_errors import InvalidOptions, InvalidSource, SourceBlocked
from jobs.request_headers import check_headers
from jobs.source import UPLOAD_ID, S3Source, Source, UploadSource, UrlSource


class SourceRequest(BaseModel):
    """Where the media is; exactly one of the three."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(min_length=8, max_length=2048)] | None = None
    headers: dict[str, str] | None = Field(default=None, max_length=20)  # only with `url`
    upload_id: Annotated[str, StringConstraints(pattern=UPLOAD_ID)] | None = None
    s3_uri: Annotated[str, StringConstraints(max_length=1100)] | None = None


class JobRequest(JobOptions):
    """A job whose media does not come with the request."""

    source: SourceRequest
    options: JobOptions | None = None  # the options may stand here, or beside `source`


def receive_job(request: Request, open_media: OpenMedia, settings: ApiSettings) -> Received:
    """Read a request for a job.

    Raises:
        RequestError: it is at fault.
    """
    if request.mimetype == "application/json" or request.mimetype.endswith("+json"):
        return _receive_source(request, settings)
    return receive_form(
        request,
        open_media,
        file_field="file",
        read_options=lambda fields: options_from_form(fields, settings),
        max_file_bytes=settings.max_media_bytes,
    )


def _receive_source(request: Request, settings: ApiSettings) -> Received:
    asked = read_model(request, JobRequest)
    source = checked_source(asked.source, settings)
    options = native_options(_merged(asked), settings)
    return Received(options=options, media=media_named_by(source), source=source)


def _merged(asked: JobRequest) -> dict[str, Any]:
    beside = asked.model_dump(exclude={"source", "options"}, exclude_unset=True)
    inside = asked.options.model_dump(exclude_unset=True) if asked.options else {}
    if twice := sorted(beside.keys() & inside.keys()):
        msg = f"given twice, in `options` and beside it: {', '.join(twice)}"
        raise InvalidOptions(msg)
    return beside | inside


def checked_source(asked: SourceRequest, settings: ApiSettings) -> Source:
    """Return where the media is, if this service may fetch it from there.

    Raises:
        InvalidSource, SourceBlocked: it may not, or it is not said clearly.
    """
    named = [name for name in ("url", "upload_id", "s3_uri") if getattr(asked, name) is not None]
    if len(named) != 1:
        msg = "`source` names one of url, upload_id and s3_uri"
        raise InvalidSource(msg)
    if asked.headers is not None and asked.url is None:
        msg = "`source.headers` go with `source.url` only"
        raise InvalidSource(msg)
    if asked.upload_id is not None:
        return UploadSource(type="upload", upload_id=asked.upload_id)
    if asked.s3_uri is not None:
        return checked_s3(asked.s3_uri, settings)
    return _checked_url(asked.url or "", asked.headers or {}, settings)


def _checked_url(url: str, headers: dict[str, str], settings: ApiSettings) -> UrlSource:
    """Refuse what needs no look-up to be refused; the worker checks what a name stands for."""
    try:
        is_good = may_be_called(url, settings)
        check_headers(headers)
    except ValueError as error:
        msg = f"source: {error}"
        raise InvalidSource(msg) from error
    if not is_good:
        msg = "private addresses are not called for clients (ALLOW_PRIVATE_ADDRESSES)"
        raise SourceBlocked(msg)
    return UrlSource(type="url", url=url, headers=headers)


def checked_s3(uri: str, settings: ApiSettings) -> S3Source:
    """Return an object, if jobs may read from its bucket.

    Raises:
        InvalidSource: they may not, or it is no address of an object.
    """
    try:
        source = S3Source(type="s3", s3_uri=uri)
    except ValidationError as error:
        msg = "`source.s3_uri` is written s3://bucket/key"
        raise InvalidSource(msg) from error
    # Our own bucket holds everybody's jobs, whatever an operator lists.
    if source.bucket not in settings.source_buckets or source.bucket == settings.s3_bucket:
        msg = "jobs may not read from this bucket; the operator lists those in SOURCE_BUCKETS"
        raise InvalidSource(msg)
    return source
