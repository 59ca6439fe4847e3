"""What died programs left in storage goes in the end, and nothing else."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import redis

from jobs import s3_client as s3
from jobs.files import JobFiles, upload_key
from jobs.ids import new_id
from jobs.job import Job
from jobs.orphans import Cleared, Orphans
from jobs.reservations import HeldName, NameKind, Reservations
from jobs.settings import StoreSettings
from jobs.source import UploadSource
from jobs.store import REBUILT, JobStore
from tests.integration.test_service import objects
from tests.jobs_made import a_job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = timedelta(seconds=-60)


class Storage:
    """The bucket of the tests, without what others left in it."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    def put(self, key: str) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=b"x")

    def keys(self, prefix: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def begin(self, key: str) -> str:
        return self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]

    def begun(self) -> set[str]:
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return {item["UploadId"] for item in found.get("Uploads", [])}


@pytest.fixture
def storage(settings: StoreSettings) -> Storage:
    return Storage(s3.connect(settings), settings.s3_bucket)


def orphans_of(
    valkey: "redis.Redis", store: JobStore, files: JobFiles, storage: Storage, age: timedelta
) -> Orphans:
    return Orphans(
        valkey,
        storage.client,
        storage.bucket,
        store=store,
        files=files,
        submission=age,
        upload=age,
    )


@pytest.fixture
def orphans(valkey: "redis.Redis", store: JobStore, files: JobFiles, storage: Storage) -> Orphans:
    """Who takes everything for old."""
    return orphans_of(valkey, store, files, storage, AT_ONCE)


def test_media_of_a_submission_that_was_never_answered_goes(
    files: JobFiles, storage: Storage, orphans: Orphans
) -> None:
    job = a_job()
    storage.put(f"jobs/{job.id}/media")

    assert orphans.clear().jobs >= 1

    assert objects(files, job.id) == []


def test_what_is_young_stays(
    valkey: "redis.Redis", store: JobStore, files: JobFiles, storage: Storage
) -> None:
    job, upload_id = a_job(), new_id("upl", a_job().created_at)
    storage.put(f"jobs/{job.id}/media")
    storage.put(upload_key(upload_id))
    begun = storage.begin(f"jobs/{job.id}/media")

    orphans_of(valkey, store, files, storage, timedelta(hours=1)).clear()

    assert objects(files, job.id) == ["media"]
    assert storage.keys(f"uploads/{upload_id}/") == [upload_key(upload_id)]
    assert begun in storage.begun()
    storage.client.abort_multipart_upload(
        Bucket=storage.bucket, Key=f"jobs/{job.id}/media", UploadId=begun
    )
    files.discard(job.id)
    files.drop_upload(upload_id, None)


def test_jobs_that_are_known_or_in_the_ledger_stay(
    store: JobStore, files: JobFiles, storage: Storage, orphans: Orphans
) -> None:
    known, lost = a_job(), a_job()
    store.add(known)
    storage.put(f"jobs/{known.id}/media")
    files.write_ledger(lost)

    orphans.clear()

    assert objects(files, known.id) == ["media"]
    assert objects(files, lost.id) == ["job.json"]
    files.discard(lost.id)


def test_what_came_after_a_deletion_goes(
    store: JobStore, files: JobFiles, storage: Storage, orphans: Orphans
) -> None:
    job = a_job()
    store.add(job)
    store.purge(job.id)
    files.write_ledger(job)

    orphans.clear()

    assert objects(files, job.id) == []


def test_media_that_a_client_sent_goes_with_the_last_who_knows_of_it(
    store: JobStore, storage: Storage, orphans: Orphans
) -> None:
    upload_id = new_id("upl", a_job().created_at)
    job = a_job()
    job = job.model_copy(update={"source": UploadSource(type="upload", upload_id=upload_id)})
    store.add(job)
    storage.put(upload_key(upload_id))

    orphans.clear()
    assert storage.keys(f"uploads/{upload_id}/") != [], "its job needs it"
    store.update(job.id, Job.canceled)
    store.purge(job.id)
    cleared = orphans.clear()

    assert cleared.uploads >= 1
    assert storage.keys(f"uploads/{upload_id}/") == []


def test_multipart_uploads_of_died_programs_are_given_up(
    storage: Storage, orphans: Orphans
) -> None:
    ours = [storage.begin(f"jobs/{a_job().id}/media"), storage.begin("uploads/upl_1/media")]
    others = storage.begin("elsewhere/media")

    assert orphans.clear().multipart_uploads == 2

    assert not set(ours) & storage.begun()
    assert others in storage.begun()
    storage.client.abort_multipart_upload(
        Bucket=storage.bucket, Key="elsewhere/media", UploadId=others
    )


def test_a_name_outlives_its_day_in_storage_only_until_somebody_looks(
    valkey: "redis.Redis", files: JobFiles
) -> None:
    for kind in NameKind:
        taken = Reservations(valkey).take("ann", kind, "n")
        held = HeldName(reservation=taken, fingerprint="f")
        files.names.write("ann", held.standing_for("job_1"))
    at = a_job().created_at

    assert files.names.drop_old(at + timedelta(hours=23)) == 0
    assert files.names.drop_old(at + timedelta(hours=25)) == 1

    assert files.names.read("ann", NameKind.IDEMPOTENCY_KEY, "n") is None
    assert files.names.read("ann", NameKind.CLIENT_ID, "n") is not None


def test_nothing_goes_while_redis_does_not_know_all_that_it_should(
    valkey: "redis.Redis", files: JobFiles, storage: Storage, orphans: Orphans
) -> None:
    job = a_job()
    storage.put(f"jobs/{job.id}/media")
    valkey.delete(REBUILT)

    assert orphans.clear() == Cleared()

    assert objects(files, job.id) == ["media"]
    files.discard(job.id)
