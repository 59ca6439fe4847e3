"""Keep what a batch was in object storage (S3), where a lost Redis cannot forget it.

    batches/<id>/batch.json     the Batch as accepted, then as canceled and as over
    batches/<id>/jobs.jsonl     its manifest: every Job as accepted, one a line
    batches/<id>/gone/<job id>  empty: this job was deleted by itself (jobs/files.py)

The manifest takes the place of ten thousand ledger entries; each job still writes its own when a
worker ends it. The manifest of a batch that is over names no headers of addresses any more.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jobs.batch import Batch
from jobs.job import Job
from jobs.request_errors import InvalidSource
from jobs.s3_client import storage_errors
from jobs.source import UrlSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

MEDIA_SUFFIXES = frozenset(
    re.findall(
        r"\.\w+",
        ".3g2 .3gp .aac .ac3 .aif .aifc .aiff .alac .amr .ape .asf .au .avi .caf .dts .eac3 .f4v "
        ".flac .flv .gsm .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 .mpe .mpeg .mpg .mts "
        ".mxf .oga .ogg .ogm .ogv .opus .qt .ra .ram .rm .rmvb .spx .tak .ts .tta .vob .w64 .wav "
        ".wave .weba .webm .wma .wmv .wtv .wv",
    )
)
MOST_LISTED = 30_000  # objects below a prefix, whatever they are; some 6 s of asking


class BatchFiles:
    """The manifests of batches, and what lies below a prefix."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def write(self, batch: Batch, jobs: "Sequence[Job]") -> None:
        """Store a new batch, the manifest first."""
        lines = [job.model_dump_json(exclude_defaults=True) for job in jobs]
        self._put(batch.id, "jobs.jsonl", "\n".join([*lines, ""]), "application/x-ndjson")
        self.write_batch(batch)

    def write_batch(self, batch: Batch) -> None:
        """Write down where a batch stands."""
        self._put(batch.id, "batch.json", batch.model_dump_json(), "application/json")

    def read(self, batch_id: str) -> Iterator[Job]:
        """Yield the jobs of a batch as they were accepted, in the order in which they were sent.

        Raises:
            StorageUnavailable: storage does not answer, or breaks off.
        """
        with storage_errors():
            key = f"{_folder(batch_id)}jobs.jsonl"
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                for line in body.iter_lines(chunk_size=256 * 1024):
                    yield Job.model_validate_json(line)

    def read_batch(self, batch_id: str) -> Batch | None:
        """Return where a batch stood when that was last written down; None: there is none."""
        with storage_errors():
            key = f"{_folder(batch_id)}batch.json"
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
            except self._s3.exceptions.NoSuchKey:
                return None
            return Batch.model_validate_json(found["Body"].read())

    def ids(self) -> Iterator[list[str]]:
        """Yield the ids of all batches, some at a time, the oldest first."""
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix="batches/", Delimiter="/"
            )
            for page in pages:
                folders = [found["Prefix"] for found in page.get("CommonPrefixes", [])]
                yield [folder.split("/")[1] for folder in folders]

    def gone(self, batch_id: str) -> set[str]:
        """Return the ids of its jobs that were deleted by themselves."""
        return {key.rpartition("/")[2] for key in self._keys(f"{_folder(batch_id)}gone/")}

    def forget_headers(self, batch: Batch) -> None:
        """Take what opened the addresses of a batch that is over out of its manifest."""
        jobs = list(self.read(batch.id))
        bare = [_without_headers(job) for job in jobs]
        if bare != jobs:
            self.write(batch, bare)

    def delete(self, batch_id: str) -> None:
        """Delete everything of a batch but its jobs; nothing happens if there is nothing.

        What says where it stands goes last: until then, others see that it was deleted.
        """
        last = f"{_folder(batch_id)}batch.json"
        with storage_errors():
            for key in [*(key for key in self._keys(_folder(batch_id)) if key != last), last]:
                self._s3.delete_object(Bucket=self._bucket, Key=key)

    def media_below(self, bucket: str, prefix: str, *, limit: int) -> list[str]:
        """Return the keys of all media below a prefix, in alphabetical order.

        What is no media by its name, has no bytes, or is only the sign of a folder is passed over.

        Raises:
            InvalidSource: there are none, more than `limit`, or they are not ours to list.
        """
        keys: list[str] = []
        listed = 0
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with storage_errors():
            try:
                for page in pages:
                    found = page.get("Contents", [])
                    listed += len(found)
                    keys += [
                        each["Key"] for each in found if each["Size"] and _is_media(each["Key"])
                    ]
                    if len(keys) > limit or listed > MOST_LISTED:
                        msg = (
                            f"below this prefix is too much: a batch has at most {limit} jobs, "
                            f"found among at most {MOST_LISTED} objects; name a longer prefix"
                        )
                        raise InvalidSource(msg)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                msg = f"there is no such bucket, or it may not be listed (status {status})"
                raise InvalidSource(msg) from error
        if not keys:
            msg = "no media is below this prefix; it is told by the ending of its name (.wav, .mp3)"
            raise InvalidSource(msg)
        return keys

    def _keys(self, prefix: str) -> list[str]:
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def _put(self, batch_id: str, name: str, text: str, media_type: str) -> None:
        with storage_errors():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=f"{_folder(batch_id)}{name}",
                Body=text.encode(),
                ContentType=media_type,
            )


def _folder(batch_id: str) -> str:
    return f"batches/{batch_id}/"


def _is_media(key: str) -> bool:
    name = key.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" in MEDIA_SUFFIXES and not name.startswith(".")


def _without_headers(job: Job) -> Job:
    if not isinstance(job.source, UrlSource) or not job.source.headers:
        return job
    source = job.source.model_copy(update={"headers": {}})
    return job.model_copy(update={"source": source})
