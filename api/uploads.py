"""Let clients send large media to object storage by themselves, in parts, and resume it."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from api.access import owner
from api.answers import answer_json
from api.json_bodies import read_model
from api.request_model import RequestModel
from api.services import services
from jobs.content_type import sound_content_type
from jobs.ids import new_id
from jobs.request_errors import TooLarge
from jobs.shown_name import shown_name
from jobs.source import UPLOAD_ID
from jobs.upload import Upload, UploadState

LIFETIME = timedelta(hours=24)  # to send all parts and to submit the job
SINGLE_BYTES = 64 * 1024**2  # up to here in one part; lost, it is sent again in a minute or so
PART_BYTES = 16 * 1024**2  # S3 takes no less than 5 MiB, but for the last part
MOST_PARTS = 10_000  # that S3 takes
PARTS_SHOWN = 1000  # in one answer; each has an address of half a kilobyte

uploads = APIBlueprint(
    "uploads", __name__, url_prefix="/v1/uploads", abp_tags=[Tag(name="uploads")]
)


class UploadRequest(BaseModel):
    """Media that is about to be sent."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    bytes: int = Field(ge=1, strict=True, description="exactly as many will arrive")
    content_type: Annotated[str, StringConstraints(max_length=200)] | None = None


_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": UploadRequest.model_json_schema()}},
}


class UploadPath(RequestModel):
    """Which upload."""

    upload_id: Annotated[str, StringConstraints(pattern=UPLOAD_ID)]


class PartsQuery(RequestModel):
    """Which page of its parts."""

    first_part: Annotated[int, Field(ge=1, le=MOST_PARTS)] = 1


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class PartView(_View):
    """One part of an upload."""

    number: int
    offset: int = Field(description="the byte of the media that it begins with")
    bytes: int = Field(description="its exact length; storage refuses any other")
    has_arrived: bool
    url: str | None = Field(description="where to PUT it; null: it is there, or not needed")


class UploadView(_View):
    """An upload, and where to send what is missing of it."""

    id: str
    state: UploadState
    filename: str
    bytes: int
    content_type: str | None
    method: Literal["single", "multipart"]
    part_bytes: int = Field(description="of each part but the last")
    part_count: int
    parts: tuple[PartView, ...] = Field(description=f"at most {PARTS_SHOWN}; none once complete")
    next_part: int | None = Field(description="the `first_part` of the next page")
    created_at: AwareDatetime
    expires_at: AwareDatetime = Field(description="deleted then, unless a job has taken it")
    job_id: str | None = Field(description="the job that has taken it")


@uploads.post(
    "",
    summary="Begin an upload",
    responses={201: UploadView},
    openapi_extensions={"requestBody": _BODY},
)
def create() -> Response:
    """Answer an address for each part; PUT the bytes there, then complete the upload.

    They go to object storage, past this service. A part may be sent again at any time, parts in
    any order and several at once.
    """
    asked, found = _asked(), services()
    now = datetime.now(UTC)
    found.uploads.must_have_room(owner(), now)
    upload_id = new_id("upl", now)
    upload = Upload(
        id=upload_id,
        owner=owner(),
        filename=shown_name(asked.filename),
        content_type=sound_content_type(asked.content_type),
        bytes=asked.bytes,
        part_bytes=part_bytes_of(asked.bytes),
        s3_upload_id=found.upload_parts.begin(upload_id),
        created_at=now,
        expires_at=now + LIFETIME,
    )
    try:
        found.uploads.add(upload)
    except BaseException:
        found.files.drop_upload(upload_id, upload.s3_upload_id)
        raise
    answer = _answer(_shown(upload, arrived=set()), status=HTTPStatus.CREATED)
    answer.headers["Location"] = url_for("uploads.read", upload_id=upload.id)
    return answer


@uploads.get("/<upload_id>", summary="Resume an upload", responses={200: UploadView})
def read(path: UploadPath, query: PartsQuery) -> Response:
    """Answer which parts have arrived, and a fresh address for each of the others."""
    found = services()
    upload = found.uploads.get(path.upload_id, owner())
    first = query.first_part
    if upload.state is not UploadState.OPEN or first > upload.parts:
        return _answer(_shown(upload, arrived=set(), first=first))
    last = min(first + PARTS_SHOWN - 1, upload.parts)
    arrived = found.upload_parts.arrived(upload, first=first, last=last)
    return _answer(_shown(upload, arrived=arrived, first=first))


@uploads.post("/<upload_id>/complete", summary="Complete an upload", responses={200: UploadView})
def complete(path: UploadPath) -> Response:
    """Put the parts together, for a job with `{"source": {"upload_id": …}}`; twice is once.

    409 names the parts that are missing.
    """
    found = services()
    upload = found.uploads.get(path.upload_id, owner())
    if upload.state is UploadState.OPEN:
        found.upload_parts.join(upload)
        upload = found.uploads.complete(upload.id, owner())
    return _answer(_shown(upload, arrived=set()))


@uploads.delete("/<upload_id>", summary="Delete an upload", responses={204: None})
def delete(path: UploadPath) -> tuple[str, int]:
    """Delete what was sent, unless a job has taken it: then delete the job."""
    found = services()
    # First no job can take it any more; should storage be away, the housekeeper does the rest.
    upload = found.uploads.withdraw(path.upload_id, owner())
    found.files.drop_upload(upload.id, upload.s3_upload_id)
    found.uploads.forget(upload.id)
    return "", HTTPStatus.NO_CONTENT


def part_bytes_of(total_bytes: int) -> int:
    """Return how large the parts of an upload are."""
    if total_bytes <= SINGLE_BYTES:
        return total_bytes
    return max(PART_BYTES, -(-total_bytes // MOST_PARTS))


def _asked() -> UploadRequest:
    asked = read_model(request, UploadRequest)
    limit = services().settings.max_media_bytes
    if asked.bytes > limit:
        msg = f"file too large: the limit is {limit // 1024**2} MiB"
        raise TooLarge(msg)
    return asked


def _shown(upload: Upload, *, arrived: set[int], first: int = 1) -> UploadView:
    """Show an upload with its parts from `first`, of which some have arrived."""
    is_open = upload.state is UploadState.OPEN
    numbers = range(first, min(first + PARTS_SHOWN, upload.parts + 1)) if is_open else range(0)
    is_more = is_open and numbers.stop <= upload.parts
    return UploadView(
        id=upload.id,
        state=upload.state,
        filename=upload.filename,
        bytes=upload.bytes,
        content_type=upload.content_type,
        method="single" if upload.parts == 1 else "multipart",
        part_bytes=upload.part_bytes,
        part_count=upload.parts,
        parts=tuple(_part(upload, number, has_arrived=number in arrived) for number in numbers),
        next_part=numbers.stop if is_more else None,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        job_id=upload.job_id,
    )


def _part(upload: Upload, number: int, *, has_arrived: bool) -> PartView:
    left = upload.expires_at - datetime.now(UTC)
    url = None
    if not has_arrived:
        url = services().presigner.part_url(
            upload, number, valid_seconds=max(1, int(left.total_seconds()))
        )
    return PartView(
        number=number,
        offset=upload.offset_of(number),
        bytes=upload.bytes_of(number),
        has_arrived=has_arrived,
        url=url,
    )


def _answer(shown: UploadView, *, status: int = HTTPStatus.OK) -> Response:
    answer = answer_json(shown, status=status)
    answer.headers["Cache-Control"] = "no-store"  # whoever has an address may send the bytes
    return answer
