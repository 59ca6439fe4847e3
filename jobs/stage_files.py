"""Pass sound and words between the processes that do one job's stages, through object storage.

    jobs/<id>/<attempt>/stages/sound.<channel>.f32   16 kHz mono, raw float32, little-endian
    jobs/<id>/<attempt>/stages/<stage>.work.json     what is asked
    jobs/<id>/<attempt>/stages/<stage>.done.json     what came of it

All of it goes with the attempt; what came too late goes by `jobs/stage_leftovers.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig

from jobs.s3_client import storage_errors
from jobs.stage_call import StageCall

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_TRANSFER = TransferConfig(multipart_chunksize=16 * 1024 * 1024, max_concurrency=4)
_FOLDER = "stages"


class StageFiles:
    """What the processes of all attempts give each other."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def put_sound(
        self,
        job_id: str,
        attempt: str,
        channel: int,
        source: Path,
        *,
        on_bytes: Callable[[int], None],
    ) -> None:
        """Store the waveform of a channel; memory does not grow with it.

        Args:
            job_id: whose.
            attempt: whose.
            channel: its number.
            source: raw float32.
            on_bytes: told of every further stretch, by several threads; what it raises ends this.
        """
        with storage_errors():
            self._s3.upload_file(
                str(source),
                self._bucket,
                _sound(job_id, attempt, channel),
                Config=_TRANSFER,
                Callback=on_bytes,
            )

    def fetch_sounds(
        self, call: StageCall, folder: Path, *, on_bytes: Callable[[int], None]
    ) -> list[Path]:
        """Bring the waveforms of all channels to files, in the order of the channels."""
        prefix = f"{_stages(call.job_id, call.attempt)}sound."
        with storage_errors():
            # A media has 32 channels at most: they are on one page.
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
            channels = sorted(
                int(item["Key"].removeprefix(prefix).partition(".")[0])
                for item in found.get("Contents", [])
            )
            targets = [folder / f"sound.{channel}.f32" for channel in channels]
            for channel, target in zip(channels, targets, strict=True):
                self._s3.download_file(
                    self._bucket,
                    _sound(call.job_id, call.attempt, channel),
                    str(target),
                    Config=_TRANSFER,
                    Callback=on_bytes,
                )
        return targets

    def put_work(self, call: StageCall, work: bytes) -> None:
        """Store what is asked."""
        self._put(_key(call, "work"), work)

    def work(self, call: StageCall) -> bytes | None:
        """Return what is asked; None: it is gone, with its attempt."""
        return self._get(_key(call, "work"))

    def put_done(self, call: StageCall, done: bytes) -> None:
        """Store what came of a call."""
        self._put(_key(call, "done"), done)

    def done(self, call: StageCall) -> bytes | None:
        """Return what came of a call; None: nothing yet."""
        return self._get(_key(call, "done"))

    def drop_done(self, call: StageCall) -> None:
        """Take back what came of a call after its attempt was over."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=_key(call, "done"))

    def clear(self, job_id: str, attempt: str) -> None:
        """Delete all of one attempt; nothing happens if there is nothing."""
        self._delete(_stages(job_id, attempt), lambda key: True)

    def clear_others(self, job_id: str, attempt: str) -> set[str]:
        """Delete what earlier attempts at a job left; return which those are."""
        own = _stages(job_id, attempt)
        deleted = self._delete(
            f"jobs/{job_id}/", lambda key: f"/{_FOLDER}/" in key and not key.startswith(own)
        )
        return {key.split("/")[2] for key in deleted}

    def _delete(self, prefix: str, is_meant: Callable[[str], bool]) -> list[str]:
        deleted: list[str] = []
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": item["Key"]}
                    for item in page.get("Contents", [])
                    if is_meant(item["Key"])
                ]
                if objects:
                    self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects})
                    deleted += [each["Key"] for each in objects]
        return deleted

    def _put(self, key: str, content: bytes) -> None:
        with storage_errors():
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType="application/json"
            )

    def _get(self, key: str) -> bytes | None:
        with storage_errors():
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
            except self._s3.exceptions.NoSuchKey:
                return None
            return found["Body"].read()


def _stages(job_id: str, attempt: str) -> str:
    return f"jobs/{job_id}/{attempt}/{_FOLDER}/"


def _sound(job_id: str, attempt: str, channel: int) -> str:
    return f"{_stages(job_id, attempt)}sound.{channel}.f32"


def _key(call: StageCall, kind: str) -> str:
    return f"{_stages(call.job_id, call.attempt)}{call.role}.{kind}.json"
